import Numerics

/// A file of named tensors in the safetensors format: the length of a header, the header in JSON, the numbers.
///
///     let file = try SafetensorsFile(path: "images.safetensors")
///     let images = try file.tensor(named: "images")
///
/// Opening reads the header alone and checks all of it against the file's size, so no tensor asks for more memory than
/// the file has bytes, or twice as many where it has half the precision. Numbers are read when they are asked for, as float32,
/// and not judged: they may be infinite or NaN.
///
/// The file stays open as long as the object. What another process writes to it meanwhile may be read in parts.
package final class SafetensorsFile {
    package struct Entry: Sendable {
        package let name: String
        package let type: NumberType
        /// Outermost first. A scalar has none; one of them can be 0.
        package let dimensions: [Int]
        /// Counted from the header's end.
        let bytes: Range<Int>
    }

    package let path: String
    package let metadata: [String: String]
    /// In the order of their bytes.
    package let tensors: [Entry]
    private let positions: [String: Int]
    private let reader: any ByteSource
    private let dataStart: Int

    static let lengthBytes = 8

    /// - Throws: `io` when there is no regular file that can be read, `format` when it is not what the format demands,
    ///   `unsupported` for a type of numbers that is not known, `outOfMemory`.
    package convenience init(path: String) throws {
        try self.init(path: path, naming(path) { try UnsafeFileReader(path: path) })
    }

    /// The same of a file that is open, or of bytes in memory.
    /// - Parameter path: for messages.
    package init(path: String, _ reader: any ByteSource) throws {
        (self.path, self.reader) = (path, reader)
        let (header, dataStart) = try naming(path) {
            let dataStart = Self.lengthBytes + (try Self.headerLength(reader))
            let header = try reader.withBytes(at: Self.lengthBytes, count: dataStart - Self.lengthBytes) {
                try SafetensorsHeader(parsing: $0, dataLength: reader.size - dataStart)
            }
            return (header, dataStart)
        }
        self.dataStart = dataStart
        (metadata, tensors) = (header.metadata, header.tensors)
        var positions: [String: Int] = [:]
        for (position, tensor) in tensors.enumerated() {
            // Names that JSON tells apart can be one String: é has two spellings.
            guard positions.updateValue(position, forKey: tensor.name) == nil else {
                throw DaflError(.format, "\(path): there are two tensors \(quoted(tensor.name))")
            }
        }
        self.positions = positions
    }

    private static func headerLength(_ reader: any ByteSource) throws -> Int {
        guard reader.size >= lengthBytes else {
            throw DaflError(.format, "is no safetensors file: it has \(reader.size) bytes")
        }
        let length = try reader.withBytes(at: 0, count: lengthBytes) { bytes in
            bytes.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        }
        guard length <= SafetensorsHeader.longest, length <= reader.size - lengthBytes else {
            throw DaflError(
                .format,
                "is no safetensors file, or cut off: it announces a header of \(length) bytes and has \(reader.size)")
        }
        return Int(length)
    }

    /// - Throws: `format` when there is no such tensor, `unsupported` when it has no elements or others than
    ///   floating-point numbers of 16, 32 or 64 bits, `io`, `outOfMemory`.
    package func tensor(named name: String) throws -> Tensor {
        try naming(path) {
            let entry = try floatEntry(named: name)
            guard !entry.dimensions.contains(0) else {
                throw DaflError(.unsupported, "tensor \(quoted(name)) has no elements")
            }
            let tensor = try Tensor(entry.dimensions)
            try read(entry, into: tensor)
            return tensor
        }
    }

    private func entry(named name: String) throws -> Entry {
        guard let position = positions[name] else { throw DaflError(.format, "has no tensor \(quoted(name))") }
        return tensors[position]
    }

    func floatEntry(named name: String) throws -> Entry {
        let entry = try entry(named: name)
        guard NumberType.readable.contains(entry.type) else {
            let readable = NumberType.readable.map(\.rawValue).joined(separator: ", ")
            throw DaflError(
                .unsupported,
                "tensor \(quoted(name)) has dtype \(entry.type.rawValue); a network's numbers are one of \(readable)")
        }
        return entry
    }

    /// Fills a tensor of the entry's shape.
    func read(_ entry: Entry, into tensor: Tensor) throws {
        precondition(entry.dimensions == tensor.shape.dimensions)
        try reader.read(entry.type, into: tensor, at: dataStart + entry.bytes.lowerBound)
    }

    /// Fills memory with the bytes of a tensor of that type and shape.
    /// - Throws: `format` when there is none, `io`.
    package func read(
        _ name: String, _ type: NumberType, _ dimensions: [Int], into bytes: UnsafeMutableRawBufferPointer
    ) throws {
        let entry = try entry(named: name)
        guard entry.type == type, entry.dimensions == dimensions else {
            throw DaflError(
                .format, "tensor \(quoted(name)) is \(entry.type.rawValue) \(printable("\(entry.dimensions)")), not "
                    + "\(type.rawValue) \(dimensions)")
        }
        try reader.read(into: bytes, at: dataStart + entry.bytes.lowerBound)
    }
}
