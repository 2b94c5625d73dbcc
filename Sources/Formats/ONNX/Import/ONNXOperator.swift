import Networks
import Numerics

/// What a name of the file stands for.
enum ONNXValue {
    case constant(ONNXTensor)
    case activation(ONNXActivation)

    var constant: ONNXTensor? {
        guard case .constant(let tensor) = self else { return nil }
        return tensor
    }

    var activation: ONNXActivation? {
        guard case .activation(let activation) = self else { return nil }
        return activation
    }
}

/// One node as it is imported: its inputs' values, and its attributes read with their defaults.
struct ONNXOperator {
    let node: ONNXNode
    /// The version of the operator set that its meaning is of.
    let opset: Int
    /// nil for an optional one that is absent.
    let values: [ONNXValue?]

    var name: String { node.operation }

    /// For messages: node "conv1", Conv (opset 13).
    var title: String {
        let name = node.name.isEmpty ? node.outputs.first ?? "" : node.name
        let domain = node.domain.isEmpty ? "" : "\(printable(node.domain)) "
        return "node \(quoted(name)), \(printable(node.operation)) (\(domain)opset \(opset)),"
    }

    func unsupported(_ what: String) -> DaflError { DaflError(.unsupported, "\(title) \(what)") }
    func malformed(_ what: String) -> DaflError { DaflError(.format, "\(title) \(what)") }

    // MARK: Inputs

    func value(_ i: Int) -> ONNXValue? { i < values.count ? values[i] : nil }

    func activation(_ i: Int) throws -> ONNXActivation {
        guard let value = value(i) else { throw malformed("lacks input \(i)") }
        guard let activation = value.activation else { throw unsupported("has a constant as input \(i)") }
        return activation
    }

    func constant(_ i: Int) throws -> ONNXTensor {
        guard let value = value(i) else { throw malformed("lacks input \(i)") }
        guard let constant = value.constant else {
            throw unsupported("computes its input \(i) from the network's input; it must be a constant")
        }
        return constant
    }

    func optionalConstant(_ i: Int) throws -> ONNXTensor? {
        value(i) == nil ? nil : try constant(i)
    }

    // MARK: Attributes

    func integer(_ name: String, or initial: Int) throws -> Int {
        switch node.attributes[name] {
        case nil: return initial
        case .integer(let value): return value
        default: throw malformed("has an attribute \(name) that is no whole number")
        }
    }

    func flag(_ name: String, or initial: Bool) throws -> Bool { try integer(name, or: initial ? 1 : 0) != 0 }

    func float(_ name: String, or initial: Float) throws -> Float {
        switch node.attributes[name] {
        case nil: return initial
        case .float(let value) where value.isFinite: return value
        default: throw malformed("has an attribute \(name) that is no finite number")
        }
    }

    func text(_ name: String, or initial: String) throws -> String {
        switch node.attributes[name] {
        case nil: return initial
        case .text(let value): return value
        default: throw malformed("has an attribute \(name) that is no text")
        }
    }

    /// Whole numbers of which each is in the range; nil when they are absent.
    func integers(_ name: String, _ range: ClosedRange<Int> = .min ... .max) throws -> [Int]? {
        switch node.attributes[name] {
        case nil: return nil
        case .integers(let values) where values.allSatisfy(range.contains): return values
        default: throw malformed("has an attribute \(name) that is no list of whole numbers in its range")
        }
    }

    /// As many of them as directions: of kernels, strides and the like.
    func extents(_ name: String, _ range: ClosedRange<Int>, count: Int, or initial: Int) throws -> [Int] {
        guard let values = try integers(name, range) else { return [Int](repeating: initial, count: count) }
        guard values.count == count else { throw malformed("has \(values.count) numbers as \(name); it needs \(count)") }
        return values
    }

    /// Numbers that old operator sets have as an attribute and new ones as an input; nil when they are absent.
    func list(_ name: String, input: Int) throws -> [Int]? {
        if let values = try integers(name) { return values }
        guard let tensor = try optionalConstant(input) else { return nil }
        return try tensor.list()
    }

    /// An axis counted from either end, of `rank`.
    func axis(_ axis: Int, rank: Int) throws -> Int {
        guard (-rank..<rank).contains(axis) else { throw malformed("has the axis \(axis) of \(rank)") }
        return axis < 0 ? axis + rank : axis
    }

    /// An axis of an activation, within a sample. Axis 0 of the file is the batch.
    func sampleAxis(_ axis: Int, of activation: ONNXActivation) throws -> Int {
        let axis = try self.axis(axis, rank: activation.dimensions.count + 1)
        guard axis > 0 else { throw unsupported("works along the batch, which would mix samples") }
        return axis - 1
    }
}
