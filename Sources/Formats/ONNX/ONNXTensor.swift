import Numerics

/// A constant of a file, or one made of such: dimensions and numbers, which are floats or whole numbers.
///
/// A file's numbers are read when they are first asked for, after their bytes were found to be as many as the dimensions say.
struct ONNXTensor {
    /// Outermost first; none for a scalar. One may be 0.
    let dimensions: [Int]
    let count: Int
    private let numbers: ONNXNumbers

    /// The same numbers in another shape.
    func reshaped(_ dimensions: [Int]) -> ONNXTensor {
        precondition(dimensions.reduce(1, *) == count)
        return ONNXTensor(dimensions: dimensions, count: count, numbers: numbers)
    }

    init(_ dimensions: [Int], floats: Tensor) {
        self.init(dimensions: dimensions, count: dimensions.reduce(1, *), numbers: ONNXNumbers(floats: floats))
    }

    /// - Parameter type: of what sort in the file's eyes, such as `.bool`.
    init(_ dimensions: [Int], integers: Indices, _ type: NumberType = .i64) {
        self.init(dimensions: dimensions, count: dimensions.reduce(1, *), numbers: ONNXNumbers(integers: integers, type))
    }

    private init(dimensions: [Int], count: Int, numbers: ONNXNumbers) {
        (self.dimensions, self.count, self.numbers) = (dimensions, count, numbers)
    }

    /// A vector, such as a shape.
    init(_ integers: [Int]) throws {
        let memory = try Indices(count: integers.count)
        for (i, integer) in integers.enumerated() { memory[i] = integer }
        self.init([integers.count], integers: memory)
    }

    /// A scalar.
    init(_ float: Float) throws {
        let memory = try Tensor([1])
        memory[0] = float
        self.init([], floats: memory)
    }

    var isWhole: Bool { numbers.isWhole }
    /// For messages, and the limits of quantised numbers.
    var type: NumberType? { numbers.type }

    /// All of them, whole ones converted; one of them at least is there, even if `count` is 0.
    func floats() throws -> Tensor { try numbers.floats(count) }

    /// All of them.
    /// - Throws: `format` when they are no whole numbers.
    func integers() throws -> Indices { try numbers.integers(count) }

    /// A few whole numbers, such as a shape or axes.
    func list() throws -> [Int] {
        guard count <= Self.longestList else {
            throw DaflError(.unsupported, "has \(count) numbers where a shape or axes are needed")
        }
        let integers = try integers()
        return (0..<count).map { integers[$0] }
    }

    private static let longestList = 4096

    /// The only number.
    func float() throws -> Float {
        guard count == 1 else { throw DaflError(.format, "has \(count) numbers where one is needed") }
        return try floats()[0]
    }
}

extension ONNXTensor {
    /// A field that numbers lie in: raw_data or one of the lists by type.
    struct Piece {
        let field: Int
        let value: ProtobufReader.Value
    }

    /// Where numbers lie that are in a file of their own.
    struct File {
        let entries: [String: String]
        let folder: String?
    }

    /// One of a file.
    /// - Parameter type: TensorProto.DataType.
    /// - Throws: `format` when its dimensions cannot be, or its numbers in the file are not as many.
    init(_ name: String, _ dimensions: [Int], type: Int, _ bytes: UnsafeBytes, _ pieces: [Piece], _ file: File?) throws {
        let title = "tensor \(quoted(name))"
        var count = 1
        for dimension in dimensions {
            let (product, overflow) = count.multipliedReportingOverflow(by: dimension)
            guard dimension >= 0, !overflow else {
                throw DaflError(.format, "\(title) has the shape \(printable("\(dimensions)"))")
            }
            count = product
        }
        let stored = ONNXStored(title: title, count: count, type: type, bytes: bytes, pieces: pieces, file: file)
        try stored.requireCount()
        self.init(dimensions: dimensions, count: count, numbers: ONNXNumbers(stored))
    }
}

/// Numbers that several tensors can share, read once.
private final class ONNXNumbers {
    let type: NumberType?
    private let stored: ONNXStored?
    private var floats: Tensor?
    private var integers: Indices?

    init(_ stored: ONNXStored) { (type, self.stored) = (stored.numberType, stored) }
    init(floats: Tensor) { (type, stored, self.floats) = (.f32, nil, floats) }
    init(integers: Indices, _ type: NumberType) { (self.type, stored, self.integers) = (type, nil, integers) }

    var isWhole: Bool { type.map(NumberType.wholeNumbers.contains) ?? false }

    func floats(_ count: Int) throws -> Tensor {
        if let floats { return floats }
        let floats: Tensor
        if isWhole {
            let integers = try integers(count)
            floats = try Tensor([max(count, 1)])
            for i in 0..<count { floats[i] = Float(integers[i]) }
        } else if let stored {
            floats = try stored.floats()
        } else {
            throw DaflError(.format, "has no numbers")
        }
        self.floats = floats
        return floats
    }

    func integers(_ count: Int) throws -> Indices {
        if let integers { return integers }
        guard let stored, isWhole else { throw DaflError(.format, "has no whole numbers where such are needed") }
        let integers = try stored.integers()
        self.integers = integers
        return integers
    }
}
