import Numerics

/// Bytes that are read at checked places: a whole file's, or a host's for the time of a call.
final class UnsafeBytes {
    private let bytes: UnsafeRawBufferPointer
    private let memory: UnsafeFloatMemory?

    /// A file's, read at once.
    /// - Parameter range: within the file.
    /// - Throws: `io`, `outOfMemory`.
    init(_ file: any ByteSource, _ range: Range<Int>) throws {
        let memory = try UnsafeFloatMemory(count: range.count / MemoryLayout<Float>.size + 1)
        let bytes = UnsafeMutableRawBufferPointer(start: memory.start, count: range.count)
        try file.read(into: bytes, at: range.lowerBound)
        (self.bytes, self.memory) = (UnsafeRawBufferPointer(bytes), memory)
    }

    convenience init(path: String) throws {
        let file = try UnsafeFileReader(path: path)
        try self.init(file, 0..<file.size)
    }

    /// A host's, which stay the host's and must outlive the object.
    init(borrowing bytes: UnsafeRawBufferPointer) {
        (self.bytes, memory) = (bytes, nil)
    }

    var count: Int { bytes.count }

    subscript(i: Int) -> UInt8 {
        precondition(bytes.indices.contains(i))
        return bytes[i]
    }

    private func slice(_ range: Range<Int>) -> UnsafeRawBufferPointer {
        precondition(range.lowerBound >= 0 && range.upperBound <= count)
        return UnsafeRawBufferPointer(rebasing: bytes[range])
    }

    /// What is no UTF-8 becomes replacement characters.
    func text(_ range: Range<Int>) -> String { String(decoding: slice(range), as: UTF8.self) }

    /// The little-endian number that they are; at most 8.
    func bits(_ range: Range<Int>) -> UInt64 {
        slice(range).reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// How many of them end a varint.
    func varintEnds(_ range: Range<Int>) -> Int {
        slice(range).reduce(0) { $0 + ($1 < 0x80 ? 1 : 0) }
    }

    /// Writes the numbers of a `NumberType.readable` type to a tensor from `place` on, as many as fit.
    func convert(_ range: Range<Int>, _ type: NumberType, to tensor: Tensor, at place: Int) {
        let count = min(range.count / type.bytes, tensor.count - place)
        guard count > 0 else { return }
        let bytes = UnsafeRawBufferPointer(rebasing: slice(range)[..<(count * type.bytes)])
        type.convert(bytes, to: tensor.pointer + place)
    }
}

extension NumberType {
    static let wholeNumbers: [NumberType] = [.bool, .u8, .i8, .u16, .i16, .u32, .i32, .u64, .i64]
}

extension UnsafeBytes {
    /// Writes the numbers of a `NumberType.wholeNumbers` type from index 0 on, as many as fit; unsigned ones beyond Int's range
    /// become its largest.
    func convert(_ range: Range<Int>, _ type: NumberType, to integers: Indices) {
        let bytes = slice(range)
        switch type {
        case .bool, .u8: each(bytes, to: integers) { (bits: UInt8) in Int(bits) }
        case .i8: each(bytes, to: integers) { (bits: Int8) in Int(bits) }
        case .u16: each(bytes, to: integers) { (bits: UInt16) in Int(bits) }
        case .i16: each(bytes, to: integers) { (bits: Int16) in Int(bits) }
        case .u32: each(bytes, to: integers) { (bits: UInt32) in Int(bits) }
        case .i32: each(bytes, to: integers) { (bits: Int32) in Int(bits) }
        case .u64: each(bytes, to: integers) { (bits: UInt64) in Int(clamping: bits) }
        case .i64: each(bytes, to: integers) { (bits: Int64) in Int(bits) }
        default: preconditionFailure("\(type.rawValue) has no whole numbers")
        }
    }

    private func each<Bits: FixedWidthInteger & BitwiseCopyable>(
        _ bytes: UnsafeRawBufferPointer, to integers: Indices, _ integer: (Bits) -> Int
    ) {
        let size = MemoryLayout<Bits>.size
        for i in 0..<min(bytes.count / size, integers.count) {
            integers.pointer[i] = integer(bytes.loadUnaligned(fromByteOffset: i * size, as: Bits.self))
        }
    }
}
