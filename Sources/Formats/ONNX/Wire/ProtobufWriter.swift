import Numerics

/// One protobuf message as it is put together: its length is known before any of it is written.
///
///     var node = ProtobufWriter()
///     node.write(4, "Relu")
///     graph.write(1, node)
///
/// Tensors are referred to and not copied, so a model takes little memory beside its network's. Writes the wire format alone
/// and knows no schema. The same calls make the same bytes.
struct ProtobufWriter {
    private enum WireType: UInt64 {
        case varint = 0
        case slice = 2
        case fixed32 = 5
    }

    /// All but tensors.
    private var bytes: [UInt8] = []
    /// The tensors' numbers, each of which comes after so many of `bytes`.
    private var tensors: [(place: Int, tensor: Tensor)] = []
    /// Bytes of the message.
    private(set) var count = 0

    private mutating func append(_ more: some Collection<UInt8>) {
        bytes += more
        count += more.count
    }

    private mutating func append(varint number: UInt64) {
        var rest = number
        var digits: [UInt8] = []
        while rest >= 0x80 {
            digits.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        append(digits + [UInt8(rest)])
    }

    private mutating func append(_ field: Int, _ type: WireType) {
        append(varint: UInt64(field) << 3 | type.rawValue)
    }

    private mutating func append(slice field: Int, count: Int) {
        append(field, .slice)
        append(varint: UInt64(count))
    }

    /// As int32, int64 and enum.
    mutating func write(_ field: Int, _ integer: Int) {
        append(field, .varint)
        append(varint: UInt64(bitPattern: Int64(integer)))
    }

    mutating func write(_ field: Int, _ float: Float) {
        append(field, .fixed32)
        append(littleEndian(float.bitPattern))
    }

    mutating func write(_ field: Int, _ text: String) {
        write(field, Array(text.utf8))
    }

    mutating func write(_ field: Int, _ bytes: [UInt8]) {
        append(slice: field, count: bytes.count)
        append(bytes)
    }

    /// Little-endian float32.
    mutating func write(_ field: Int, _ tensor: Tensor) {
        let size = tensor.count * MemoryLayout<Float>.size
        append(slice: field, count: size)
        tensors.append((bytes.count, tensor))
        count += size
    }

    mutating func write(_ field: Int, _ message: ProtobufWriter) {
        append(slice: field, count: message.count)
        tensors += message.tensors.map { (bytes.count + $0.place, $0.tensor) }
        bytes += message.bytes
        count += message.count
    }

    /// - Throws: `io`.
    func write(to file: UnsafeFileReplacement) throws {
        var done = 0
        for (place, tensor) in tensors {
            try file.write(Array(bytes[done..<place]))
            try file.write(tensor)
            done = place
        }
        try file.write(Array(bytes[done...]))
    }
}

/// The bytes of a number as files have them.
func littleEndian<Bits: FixedWidthInteger>(_ bits: Bits) -> [UInt8] {
    (0..<MemoryLayout<Bits>.size).map { UInt8(truncatingIfNeeded: bits >> (8 * $0)) }
}
