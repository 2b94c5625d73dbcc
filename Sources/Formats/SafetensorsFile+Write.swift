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
            let header = Array(try SafetensorsHeader.text(metadata: metadata, tensors: tensors).utf8)
            let length = (0..<lengthBytes).map { UInt8(truncatingIfNeeded: header.count >> (8 * $0)) }
            let file = try UnsafeFileReplacement(path: path)
            try file.write(length + header)
            for tensor in tensors { try file.write(tensor.value) }
            try file.commit()
        }
    }
}
