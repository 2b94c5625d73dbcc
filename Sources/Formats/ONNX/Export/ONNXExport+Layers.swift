import Networks
import Numerics

/// A node of a network as it is exported: its settings read, which the network has checked, and what it reads.
struct ONNXLayer {
    let node: Network.Node
    let operands: [ONNXExport.Operand]

    init(_ node: Network.Node, _ operands: [ONNXExport.Operand]) {
        (self.node, self.operands) = (node, operands)
    }

    var name: String { node.name }
    var output: [Int] { node.outputShape.dimensions }

    /// For operators that it is made of beside the last.
    func name(_ part: String) -> String { "\(name)/\(part)" }

    private func lacks(_ key: String) -> DaflError {
        DaflError(.unsupported, "\(node.kind.rawValue) \(quoted(name)) cannot be written: it has no \(key)")
    }

    func whole(_ key: String) throws -> Int {
        guard case .integer(let whole)? = node.settings[key] else { throw lacks(key) }
        return whole
    }

    /// A list, an extent or a border.
    func list(_ key: String) throws -> [Int] {
        guard case .integers(let list)? = node.settings[key] else { throw lacks(key) }
        return list
    }

    func number(_ key: String) throws -> Float {
        switch node.settings[key] {
        case .number(let number): return Float(number)
        case .integer(let whole): return Float(whole)
        default: throw lacks(key)
        }
    }

    func flag(_ key: String) throws -> Bool {
        guard case .flag(let flag)? = node.settings[key] else { throw lacks(key) }
        return flag
    }

    func text(_ key: String) throws -> String {
        guard case .text(let text)? = node.settings[key] else { throw lacks(key) }
        return text
    }

    /// One of its own, or of the node whose weights it shares; nil where it does without.
    func optionalParameter(_ suffix: String) -> Parameter? {
        node.layer.parameters.first { $0.name.hasSuffix(".\(suffix)") }
    }

    func parameter(_ suffix: String) throws -> Parameter {
        guard let parameter = optionalParameter(suffix) else { throw lacks(suffix) }
        return parameter
    }
}

extension ONNXExport {
    mutating func operand(of layer: ONNXLayer) throws -> Operand {
        layer.node.kind == .constant ? .constant(try layer.parameter("value")) : .value(try result(of: layer))
    }

    /// The table of kinds: the operators that each is written as.
    private mutating func result(of layer: ONNXLayer) throws -> Value {
        switch layer.node.kind {
        case .constant: return spread(try layer.parameter("value"), named: layer.name)

        case .add: return try combined(layer, layer.operands.count == 2 ? "Add" : "Sum")
        case .subtract: return try combined(layer, "Sub")
        case .multiply: return try combined(layer, "Mul")
        case .divide: return try combined(layer, "Div")
        case .maximum: return try combined(layer, "Max")
        case .minimum: return try combined(layer, "Min")

        case .convolution: return try convolution(layer)
        case .transposedConvolution: return try transposedConvolution(layer)
        case .linear: return try linear(layer)

        case .batchNorm: return try batchNorm(layer)
        case .layerNorm: return try layerNorm(layer)
        case .groupNorm: return try groupNorm(layer)
        case .instanceNorm: return try instanceNorm(layer)
        case .lrn: return try localResponseNorm(layer)
        case .units: return try units(layer)

        case .relu: return try function(layer, "Relu")
        case .leakyReLU: return try function(layer, "LeakyRelu", ["alpha": .number(Double(layer.number("slope")))])
        case .prelu: return try prelu(layer)
        case .elu: return try function(layer, "Elu", ["alpha": .number(Double(layer.number("alpha")))])
        case .selu: return try function(layer, "Selu")
        case .gelu: return try gelu(layer)
        case .silu: return try gated(layer, by: ["Sigmoid"])
        case .mish: return try gated(layer, by: ["Softplus", "Tanh"])
        case .hardSwish: return try function(layer, "HardSwish")
        case .sigmoid: return try function(layer, "Sigmoid")
        case .hardSigmoid:
            let (alpha, beta) = (try layer.number("alpha"), try layer.number("beta"))
            return try function(layer, "HardSigmoid", ["alpha": .number(Double(alpha)), "beta": .number(Double(beta))])
        case .tanh: return try function(layer, "Tanh")
        case .softplus: return try function(layer, "Softplus")
        case .softsign: return try function(layer, "Softsign")
        case .clip: return try clip(layer)
        case .abs: return try function(layer, "Abs")
        case .sqrt: return try function(layer, "Sqrt")
        case .exp: return try function(layer, "Exp")
        case .log: return try function(layer, "Log")
        case .negate: return try function(layer, "Neg")
        case .reciprocal: return try function(layer, "Reciprocal")
        case .erf: return try function(layer, "Erf")
        case .power: return try power(layer)
        case .softmax: return try function(layer, "Softmax", ["axis": .integer(layer.whole("axis") + 1)])
        case .fakeQuantize: return try fakeQuantize(layer)
        case .dropout:
            // Runtimes pass it over; it tells the rate to those who train.
            let rate = scalar(try layer.number("rate"), named: layer.name("ratio"))
            return last(layer, "Dropout", [try input(layer).tensor, rate])

        case .maxPool: return try pooling(layer, "MaxPool")
        case .averagePool: return try averagePooling(layer)
        case .globalAveragePool: return try globalPooling(layer, "GlobalAveragePool")
        case .globalMaxPool: return try globalPooling(layer, "GlobalMaxPool")
        case .upsample: return try upsampling(layer)

        case .concat: return try concatenation(layer)
        case .slice: return try slice(layer)
        case .crop: return try crop(layer)
        case .pad: return try padding(layer)
        case .transpose:
            let order = [0] + (try layer.list("order").map { $0 + 1 })
            return try function(layer, "Transpose", ["perm": .integers(order)])
        case .reshape: return reshape(try input(layer), to: layer.output, named: layer.name)
        case .flatten: return try function(layer, "Flatten", ["axis": 1])
        case .reduceMean: return try reduction(layer, "ReduceMean")
        case .reduceSum: return try reduction(layer, "ReduceSum")
        case .reduceMax: return try reduction(layer, "ReduceMax")
        }
    }

    // MARK: What a layer reads and gives

    /// Its only input.
    mutating func input(_ layer: ONNXLayer) throws -> Value {
        guard let operand = layer.operands.first else {
            throw DaflError.invalid("the number of inputs of \(quoted(layer.name))", 0, "1")
        }
        return value(operand, layer)
    }

    mutating func value(_ operand: Operand, _ layer: ONNXLayer) -> Value {
        switch operand {
        case .value(let value): value
        case .constant(let constant): spread(constant, named: layer.name)
        }
    }

    /// Its only input as [channels, height, width].
    mutating func image(_ layer: ONNXLayer) throws -> Value {
        let value = try input(layer)
        let (channels, height, width) = try Shape(value.shape).channelsHeightWidth
        return reshape(value, to: [channels, height, width], named: layer.name("image"))
    }

    /// An operator of a layer beside the last.
    mutating func part(
        _ layer: ONNXLayer, _ type: String, _ inputs: [String], _ attributes: KeyValuePairs<String, Attribute> = [:],
        to shape: [Int]
    ) -> Value {
        add(type, inputs, attributes, named: layer.name(type), to: shape)
    }

    /// A layer's last operator, and its result in the layer's shape.
    /// - Parameter shape: what the operator gives; nil for the layer's own.
    mutating func last(
        _ layer: ONNXLayer, _ type: String, _ inputs: [String], _ attributes: KeyValuePairs<String, Attribute> = [:],
        to shape: [Int]? = nil
    ) -> Value {
        guard let shape, shape != layer.output else {
            return add(type, inputs, attributes, named: layer.name, to: layer.output)
        }
        return reshape(part(layer, type, inputs, attributes, to: shape), to: layer.output, named: layer.name)
    }

    /// A layer that is one operator on one input.
    private mutating func function(
        _ layer: ONNXLayer, _ type: String, _ attributes: KeyValuePairs<String, Attribute> = [:]
    ) throws -> Value {
        last(layer, type, [try input(layer).tensor], attributes)
    }

    /// A number for each channel, or all of them, as something that is broadcast to inputs of a shape.
    mutating func perChannel(_ parameter: Parameter, _ shape: [Int]) -> String {
        let count = parameter.value.count
        if count == 1 { return initializer(parameter) }
        return initializer(parameter, [count] + shape.dropFirst().map { _ in 1 })
    }

    // MARK: Arithmetic

    /// Of several inputs, broadcast within a sample's shape.
    private mutating func combined(_ layer: ONNXLayer, _ type: String) throws -> Value {
        let rank = layer.output.count
        var operands = layer.operands
        // One of them has to have the batch.
        let isConstant = operands.allSatisfy { if case .constant = $0 { true } else { false } }
        if isConstant, let first = operands.first { operands[0] = .value(value(first, layer)) }
        let tensors = operands.map { operand -> String in
            switch operand {
            case .constant(let constant): return initializer(constant)
            case .value(let value):
                // The batch's axis comes before those of the largest.
                let shape = [Int](repeating: 1, count: rank - value.shape.count) + value.shape
                return reshape(value, to: shape, named: layer.name("Reshape")).tensor
            }
        }
        return last(layer, type, tensors)
    }

    private mutating func units(_ layer: ONNXLayer) throws -> Value {
        let input = try input(layer)
        let (mean, deviation) = (try layer.parameter("mean"), try layer.parameter("deviation"))
        let isEach = mean.value.count == input.shape.reduce(1, *)
        let tensors = [mean, deviation].map { isEach ? initializer($0, input.shape) : perChannel($0, input.shape) }
        switch UnitScaling.Direction(rawValue: try layer.text("direction")) {
        case .restoring:
            let scaled = part(layer, "Mul", [input.tensor, tensors[1]], to: input.shape)
            return last(layer, "Add", [scaled.tensor, tensors[0]])
        default:
            let shifted = part(layer, "Sub", [input.tensor, tensors[0]], to: input.shape)
            return last(layer, "Div", [shifted.tensor, tensors[1]])
        }
    }

    // MARK: Functions of each number

    private mutating func prelu(_ layer: ONNXLayer) throws -> Value {
        let input = try input(layer)
        return last(layer, "PRelu", [input.tensor, perChannel(try layer.parameter("weight"), input.shape)])
    }

    /// Its input times a function of it.
    private mutating func gated(_ layer: ONNXLayer, by functions: [String]) throws -> Value {
        let input = try input(layer)
        let gate = functions.reduce(input) { part(layer, $1, [$0.tensor], to: $0.shape) }
        return last(layer, "Mul", [input.tensor, gate.tensor])
    }

    /// x/2 (1 + erf(x / sqrt(2))), or x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))).
    private mutating func gelu(_ layer: ONNXLayer) throws -> Value {
        let x = try input(layer)
        func times(_ value: Value, _ factor: Float, _ name: String, _ export: inout ONNXExport) -> Value {
            let scalar = export.scalar(factor, named: layer.name(name))
            return export.part(layer, "Mul", [value.tensor, scalar], to: x.shape)
        }
        let inner: Value
        if try layer.text("approximation") == "tanh" {
            let exponent = scalar(3, named: layer.name("exponent"))
            let cube = part(layer, "Pow", [x.tensor, exponent], to: x.shape)
            let cubic = times(cube, 0.044715, "cubic", &self)
            let sum = part(layer, "Add", [x.tensor, cubic.tensor], to: x.shape)
            let scaled = times(sum, (2 / Float.pi).squareRoot(), "scale", &self)
            inner = part(layer, "Tanh", [scaled.tensor], to: x.shape)
        } else {
            let root = scalar(Float(2).squareRoot(), named: layer.name("root"))
            let scaled = part(layer, "Div", [x.tensor, root], to: x.shape)
            inner = part(layer, "Erf", [scaled.tensor], to: x.shape)
        }
        let one = scalar(1, named: layer.name("one"))
        let gate = part(layer, "Add", [inner.tensor, one], to: x.shape)
        let product = part(layer, "Mul", [x.tensor, gate.tensor], to: x.shape)
        return last(layer, "Mul", [product.tensor, scalar(0.5, named: layer.name("half"))])
    }

    private mutating func clip(_ layer: ONNXLayer) throws -> Value {
        let input = try input(layer)
        let (low, high) = (try layer.number("low"), try layer.number("high"))
        var tensors = [input.tensor, low.isFinite ? scalar(low, named: layer.name("low")) : ""]
        if high.isFinite { tensors.append(scalar(high, named: layer.name("high"))) }
        return last(layer, "Clip", tensors)
    }

    private mutating func power(_ layer: ONNXLayer) throws -> Value {
        let exponent = scalar(try layer.number("exponent"), named: layer.name("exponent"))
        return last(layer, "Pow", [try input(layer).tensor, exponent])
    }
}
