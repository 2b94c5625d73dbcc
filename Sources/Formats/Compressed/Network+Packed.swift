import Networks
import Numerics

/// Networks of few and shared weights in small files: a safetensors file whose metadata has "compression", with one tensor of
/// bytes in which all of the network's lie, packed, one after the other.
extension Network {
    /// Writes the file whole or not at all; the same network makes the same bytes. It is read as any other file of a network.
    /// - Throws: as `save(path:)`.
    package func savePacked(path: String) throws {
        var metadata = try metadata()
        metadata[SafetensorsFile.compressionKey] = SafetensorsFile.huffman
        var writer = BitWriter()
        for parameter in parameters { PackedTensor.write(parameter.value, to: &writer) }
        try naming(path) {
            let tensor = (SafetensorsFile.packedName, NumberType.u8, [writer.bytes.count])
            let file = try UnsafeFileReplacement(path: path)
            try file.write(SafetensorsFile.start(metadata: metadata, tensors: [tensor]))
            try file.write(writer.bytes)
            try file.commit()
        }
    }

    /// - Throws: `format` for a file that is damaged or of another network, `unsupported` for another compression, `io`.
    func unpack(_ file: SafetensorsFile) throws {
        var reader = BitReader(try file.packedBytes(atMost: parameters.reduce(0) { $0 + PackedTensor.mostBytes($1.value.count) }))
        for parameter in parameters {
            try PackedTensor.read(parameter.value, &reader)
            try parameter.requireAllowed(or: .format)
        }
        guard reader.bytesLeft == 0 else { throw DaflError(.format, "has \(reader.bytesLeft) bytes more than \(name)") }
    }
}

extension SafetensorsFile {
    static let compressionKey = "compression"
    static let huffman = "huffman"
    static let packedName = "packed"

    var isPacked: Bool { metadata[Self.compressionKey] != nil }

    fileprivate func packedBytes(atMost most: Int) throws -> [UInt8] {
        guard let kind = metadata[Self.compressionKey], kind == Self.huffman else {
            throw DaflError(.unsupported, "is compressed by \(quoted(metadata[Self.compressionKey] ?? "")), which is not known")
        }
        guard tensors.count == 1, let tensor = tensors.first, tensor.name == Self.packedName, tensor.type == .u8,
            tensor.dimensions.count == 1
        else { throw DaflError(.format, "is compressed, and has not the one tensor \(quoted(Self.packedName)) of bytes") }
        guard tensor.dimensions[0] <= most else {
            throw DaflError(.format, "has \(tensor.dimensions[0]) bytes; its network takes no more than \(most)")
        }
        return try [UInt8](unsafeUninitializedCapacity: tensor.dimensions[0]) { bytes, count in
            let all = UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(bytes)[..<tensor.dimensions[0]])
            try read(tensor.name, tensor.type, tensor.dimensions, into: all)
            count = tensor.dimensions[0]
        }
    }
}
