import Numerics

/// The fields of one protobuf message, in their order in the bytes.
///
///     var reader = ProtobufReader(bytes)
///     while let field = try reader.next() {
///         switch (field.number, field.value) {
///         case (1, .slice(let name)): ...
///
/// Reads the wire format alone and knows no schema: which field is what, the caller says, and passes over those that it does
/// not know. It never follows a nested message by itself, so no input makes it recurse. Each byte is read once.
struct ProtobufReader {
    enum Value: Equatable {
        /// An integer, a Bool or an enum.
        case varint(UInt64)
        /// The bits of a float, or of a number of fixed length.
        case fixed32(UInt32)
        case fixed64(UInt64)
        /// Where a text, bytes, a nested message or a packed list lies.
        case slice(Range<Int>)
    }

    struct Field {
        let number: Int
        let value: Value

        /// A whole number, as int32, int64 and enum have it.
        var integer: Int? {
            guard case .varint(let bits) = value else { return nil }
            return Int(truncatingIfNeeded: Int64(bitPattern: bits))
        }

        var slice: Range<Int>? {
            guard case .slice(let range) = value else { return nil }
            return range
        }
    }

    let bytes: UnsafeBytes
    private var position: Int
    private let end: Int

    init(_ bytes: UnsafeBytes) {
        self.init(bytes, 0..<bytes.count)
    }

    /// A nested message, or a packed list.
    init(_ bytes: UnsafeBytes, _ range: Range<Int>) {
        precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count)
        (self.bytes, position, end) = (bytes, range.lowerBound, range.upperBound)
    }

    var isAtEnd: Bool { position == end }

    /// nil at the end.
    /// - Throws: `format`.
    mutating func next() throws -> Field? {
        guard !isAtEnd else { return nil }
        let start = position
        let key = try varint()
        // 29 bits are the most that the format allows for a field's number.
        guard let number = Int(exactly: key >> 3), (1..<1 << 29).contains(number) else {
            throw damaged("a field of number \(key >> 3)", at: start)
        }
        switch key & 7 {
        case 0: return Field(number: number, value: .varint(try varint()))
        case 1: return Field(number: number, value: .fixed64(bytes.bits(try take(8, at: start))))
        case 2:
            let length = try varint()
            guard length <= UInt64(end - position) else {
                throw damaged("\(length) bytes where \(end - position) are left", at: start)
            }
            return Field(number: number, value: .slice(try take(Int(length), at: start)))
        case 5:
            return Field(number: number, value: .fixed32(UInt32(truncatingIfNeeded: bytes.bits(try take(4, at: start)))))
        default: throw damaged("a field of wire type \(key & 7)", at: start)
        }
    }

    /// The next number of a packed list.
    mutating func varint() throws -> UInt64 {
        let start = position
        var number: UInt64 = 0
        for shift in stride(from: 0, to: 70, by: 7) {
            guard position < end else { throw damaged("a number that is cut off", at: start) }
            let byte = bytes[position]
            position += 1
            number |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return number }
        }
        throw damaged("a number of more than 10 bytes", at: start)
    }

    private mutating func take(_ count: Int, at start: Int) throws -> Range<Int> {
        guard count <= end - position else {
            throw damaged("\(count) bytes where \(end - position) are left", at: start)
        }
        defer { position += count }
        return position..<(position + count)
    }

    private func damaged(_ what: String, at place: Int) -> DaflError {
        DaflError(.format, "is no ONNX file, or damaged: it has \(what) at byte \(place)")
    }
}
