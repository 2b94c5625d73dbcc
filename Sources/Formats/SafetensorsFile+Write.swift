import Numerics

extension SafetensorsFile {
    /// Writes float32 tensors in the given order, and metadata by its keys' order: equal arguments make equal bytes.
    ///
    /// The file appears whole, in place of one that was there, or not at all.
    /// - Throws: `io` when it cannot be written, `invalidArgument` when two tensors have the same name.
    package static func write(
        path: String, metadata: [String: String] = [:], tensors: [(name: String, value: Tensor)]
    ) throws {
        try naming(path) {
            let start = try start(metadata: metadata, tensors: tensors.map { ($0.name, .f32, $0.value.shape.dimensions) })
            let file = try UnsafeFileReplacement(path: path)
            try file.write(start)
            for tensor in tensors { try file.write(tensor.value) }
            try file.commit()
        }
    }

    /// All that comes before the numbers of tensors that lie in the given order.
    /// - Throws: `invalidArgument` when two tensors have the same name, `unsupported` when it is too long to be read back.
    package static func start(
        metadata: [String: String], tensors: [(name: String, type: NumberType, dimensions: [Int])]
    ) throws -> [UInt8] {
        let header = Array(try SafetensorsHeader.text(metadata: metadata, tensors: tensors).utf8)
        return (0..<lengthBytes).map { UInt8(truncatingIfNeeded: header.count >> (8 * $0)) } + header
    }
}
