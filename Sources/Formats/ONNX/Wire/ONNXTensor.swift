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

    /// One number everywhere, which takes no memory until it is asked for.
    /// - Parameter count: the product of the dimensions.
    init(_ dimensions: [Int], count: Int, repeating number: Float) {
        self.init(dimensions: dimensions, count: count, numbers: ONNXNumbers(repeating: number))
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

    /// Copies them to a tensor of as many.
    func load(into tensor: Tensor) throws {
        precondition(tensor.count == count)
        try numbers.load(into: tensor)
    }

    /// The number that all of them are, if they were made so.
    var repeated: Float? { numbers.repeated }

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
    let repeated: Float?
    private let stored: ONNXStored?
    private var floats: Tensor?
    private var integers: Indices?

    init(_ stored: ONNXStored) { (type, repeated, self.stored) = (stored.numberType, nil, stored) }
    init(floats: Tensor) { (type, repeated, stored, self.floats) = (.f32, nil, nil, floats) }
    init(integers: Indices, _ type: NumberType) {
        (self.type, repeated, stored, self.integers) = (type, nil, nil, integers)
    }
    init(repeating number: Float) { (type, repeated, stored) = (.f32, number, nil) }

    var isWhole: Bool { type.map(NumberType.wholeNumbers.contains) ?? false }

    func floats(_ count: Int) throws -> Tensor {
        if let floats { return floats }
        let floats = try Tensor([max(count, 1)])
        if count > 0 { try load(into: floats) }
        self.floats = floats
        return floats
    }

    func load(into tensor: Tensor) throws {
        if let floats {
            tensor.load(floats)
        } else if let repeated {
            tensor.fill(repeated)
        } else if isWhole {
            let integers = try integers(tensor.count)
            for i in 0..<tensor.count { tensor[i] = Float(integers[i]) }
        } else if let stored {
            try stored.load(into: tensor)
        }
    }

    func integers(_ count: Int) throws -> Indices {
        if let integers { return integers }
        guard let stored, isWhole else { throw DaflError(.format, "has no whole numbers where such are needed") }
        let integers = try stored.integers()
        self.integers = integers
        return integers
    }
}
