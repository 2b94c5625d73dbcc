import Numerics

/// Where a tensor's numbers lie, in one of the many ways that onnx.proto allows.
struct ONNXStored {
    /// For messages: tensor "conv1.weight".
    let title: String
    let count: Int
    /// TensorProto.DataType.
    let type: Int
    let bytes: UnsafeBytes
    let pieces: [ONNXTensor.Piece]
    let file: ONNXTensor.File?

    var numberType: NumberType? { NumberType(onnx: type) }

    private enum Field {
        static let floats = 4
        static let int32s = 5
        static let int64s = 7
        static let raw = 9
        static let doubles = 10
        static let uint64s = 11
    }

    /// Which list numbers of the type are in, if they are not raw.
    private func listField(_ type: NumberType) -> Int {
        switch type {
        case .f32: Field.floats
        case .f64: Field.doubles
        case .i64: Field.int64s
        case .u32, .u64: Field.uint64s
        default: Field.int32s
        }
    }

    private func required() throws -> NumberType {
        guard let numberType else {
            throw DaflError(.unsupported, "\(title) has numbers of ONNX's data type \(type), which are not read")
        }
        return numberType
    }

    private var raw: Range<Int>? {
        for piece in pieces {
            if piece.field == Field.raw, case .slice(let range) = piece.value { return range }
        }
        return nil
    }

    /// Before memory is taken for them. Those in another file are looked at when they are read.
    /// - Throws: `format`.
    func requireCount() throws {
        guard file == nil, let type = numberType else { return }
        let found: Int
        if let raw {
            found = raw.count / type.bytes
            guard raw.count % type.bytes == 0 else {
                throw DaflError(.format, "\(title) has \(raw.count) bytes for numbers of \(type.bytes) each")
            }
        } else {
            let field = listField(type)
            found = pieces.filter { $0.field == field }.reduce(0) { sum, piece in
                switch piece.value {
                case .varint, .fixed32, .fixed64: sum + 1
                case .slice(let range) where field == Field.floats: sum + range.count / 4
                case .slice(let range) where field == Field.doubles: sum + range.count / 8
                case .slice(let range): sum + bytes.varintEnds(range)
                }
            }
        }
        guard found == count else {
            throw DaflError(.format, "\(title) has \(found) numbers where its shape needs \(count)")
        }
    }

    /// Writes them to as many floats.
    func load(into floats: Tensor) throws {
        let type = try required()
        if let (bytes, range) = try external(type) ?? raw.map({ (bytes, $0) }) {
            return bytes.convert(range, type, to: floats, at: 0)
        }
        var place = 0
        for piece in pieces where piece.field == listField(type) {
            if case .slice(let range) = piece.value, type == .f32 || type == .f64 {
                bytes.convert(range, type, to: floats, at: place)
                place += range.count / type.bytes
            } else {
                try each(piece) { bits in
                    guard place < floats.count else { return }
                    floats[place] = Self.float(bits, type)
                    place += 1
                }
            }
        }
    }

    private static func float(_ bits: UInt64, _ type: NumberType) -> Float {
        switch type {
        case .f16: NumberType.float(half: UInt16(truncatingIfNeeded: bits))
        case .bf16: Float(bitPattern: UInt32(truncatingIfNeeded: bits) << 16)
        case .f64: Float(Double(bitPattern: bits))
        default: Float(bitPattern: UInt32(truncatingIfNeeded: bits))
        }
    }

    func integers() throws -> Indices {
        let type = try required()
        let integers = try Indices(count: count)
        if let (bytes, range) = try external(type) ?? raw.map({ (bytes, $0) }) {
            bytes.convert(range, type, to: integers)
            return integers
        }
        var place = 0
        for piece in pieces where piece.field == listField(type) {
            try each(piece) { bits in
                guard place < count else { return }
                integers[place] =
                    type == .u64 ? Int(clamping: bits) : Int(truncatingIfNeeded: Int64(bitPattern: bits))
                place += 1
            }
        }
        return integers
    }

    private func each(_ piece: ONNXTensor.Piece, _ body: (UInt64) -> Void) throws {
        switch piece.value {
        case .varint(let bits), .fixed64(let bits): body(bits)
        case .fixed32(let bits): body(UInt64(bits))
        case .slice(let range):
            var list = ProtobufReader(bytes, range)
            while !list.isAtEnd { body(try list.varint()) }
        }
    }

    /// The bytes in another file, if they are there.
    private func external(_ type: NumberType) throws -> (UnsafeBytes, Range<Int>)? {
        guard let file else { return nil }
        return try naming(title) {
            let (size, overflow) = count.multipliedReportingOverflow(by: type.bytes)
            guard !overflow else { throw DaflError(.format, "is larger than a file can be") }
            let bytes = try file.read(size)
            return (bytes, 0..<size)
        }
    }
}

extension NumberType {
    /// By TensorProto.DataType: without texts, complex numbers and those of less than 16 bits with a point.
    private static let onnxTypes: [Int: NumberType] = [
        1: .f32, 2: .u8, 3: .i8, 4: .u16, 5: .i16, 6: .i32, 7: .i64, 9: .bool, 10: .f16, 11: .f64, 12: .u32, 13: .u64,
        16: .bf16,
    ]

    init?(onnx type: Int) {
        guard let known = Self.onnxTypes[type] else { return nil }
        self = known
    }

    /// Its TensorProto.DataType; 0, which is undefined, for those that are not read.
    var onnx: Int { Self.onnxTypes.first { $0.value == self }?.key ?? 0 }
}
