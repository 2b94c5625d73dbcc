import Networks
import Numerics

extension ONNXImport {
    /// The table of operators on activations: what each of a node's outputs becomes.
    func imported(_ operation: ONNXOperator, at place: Int) throws -> [ONNXValue] {
        if end.tail.contains(place), ["QuantizeLinear", "DequantizeLinear", "Cast", "Dropout"].contains(operation.name) {
            return [.activation(try operation.activation(0))]  // of probabilities, which the network leaves to others
        }
        if place == end.node { return [.activation(try logits(operation))] }
        try requireNumbers(operation)
        switch operation.name {
        case "Conv": return [try convolution(operation)]
        case "ConvTranspose": return [try transposedConvolution(operation)]
        case "Gemm": return [try gemm(operation)]
        case "MatMul": return [try matMul(operation)]

        case "BatchNormalization": return [try batchNormalization(operation)]
        case "InstanceNormalization": return [try instanceNormalization(operation)]
        case "GroupNormalization": return [try groupNormalization(operation)]
        case "LayerNormalization": return [try layerNormalization(operation)]
        case "LRN": return [try localResponse(operation)]
        case ONNXModel.spelledLRN: return [try spelledLocalResponse(operation)]

        case "Relu": return [try activation(operation, "relu")]
        case "LeakyRelu": return [try activation(operation, "leaky_relu", ["slope": number(operation, "alpha", 0.01)])]
        case "PRelu": return [try parametricReLU(operation)]
        case "Elu": return [try activation(operation, "elu", ["alpha": number(operation, "alpha", 1)])]
        case "Selu": return [try selu(operation)]
        case "Gelu": return [try gelu(operation)]
        case "Sigmoid": return [try activation(operation, "sigmoid")]
        case "HardSigmoid":
            return [
                try activation(
                    operation, "hard_sigmoid",
                    ["alpha": number(operation, "alpha", 0.2), "beta": number(operation, "beta", 0.5)])
            ]
        case "HardSwish": return [try activation(operation, "hard_swish")]
        case "Tanh": return [try activation(operation, "tanh")]
        case "Softplus": return [try activation(operation, "softplus")]
        case "Softsign": return [try activation(operation, "softsign")]
        case "Mish": return [try activation(operation, "mish")]
        case "Clip": return [try clip(operation)]
        case "Round": return [try activation(operation, "fake_quantize", Self.rounding)]
        case "Abs": return [try activation(operation, "abs")]
        case "Sqrt": return [try activation(operation, "sqrt")]
        case "Exp": return [try activation(operation, "exp")]
        case "Log": return [try activation(operation, "log")]
        case "Neg": return [try activation(operation, "negate")]
        case "Reciprocal": return [try activation(operation, "reciprocal")]
        case "Erf": return [try activation(operation, "erf")]
        case "Pow": return [try power(operation)]
        case "Softmax", "LogSoftmax": return [try softmax(operation)]

        case "MaxPool": return [try pooling(operation, "max_pool")]
        case "AveragePool": return [try pooling(operation, "average_pool")]
        case "GlobalAveragePool": return [try globalPooling(operation, "global_average_pool")]
        case "GlobalMaxPool": return [try globalPooling(operation, "global_max_pool")]
        case "ReduceMean": return [try reduction(operation, "reduce_mean", pooling: "global_average_pool")]
        case "ReduceMax": return [try reduction(operation, "reduce_max", pooling: "global_max_pool")]
        case "ReduceSum": return [try reduction(operation, "reduce_sum", pooling: nil)]

        case "Add", "Sum": return [try elementwise(operation, "add")]
        case "Sub": return [try difference(operation)]
        case "Mul": return [try elementwise(operation, "multiply")]
        case "Div": return [try quotient(operation)]
        case "Max": return [try elementwise(operation, "maximum")]
        case "Min": return [try elementwise(operation, "minimum")]

        case "Reshape": return [try reshape(operation)]
        case "Flatten": return [try flatten(operation)]
        case "Squeeze": return [try squeeze(operation)]
        case "Unsqueeze": return [try unsqueeze(operation)]
        case "Transpose": return [try transpose(operation)]
        case "Identity": return [.activation(try operation.activation(0))]
        case "Dropout": return [try dropout(operation)]
        case "Cast": return [try castActivation(operation)]
        case "CastLike": return [.activation(try operation.activation(0))]
        case "Expand", "Tile": return [try unchanged(operation)]
        case "Concat": return [try concat(operation)]
        case "Split": return try split(operation)
        case "Slice": return [try slice(operation)]
        case "Gather": return [try gather(operation)]
        case "Pad": return [try pad(operation)]
        case "Resize", "Upsample": return [try resize(operation)]

        case "QuantizeLinear": return [try quantize(operation)]
        case "DequantizeLinear": return [try dequantize(operation)]

        case "ArgMax":
            throw operation.unsupported(
                "gives classes where logits are needed; export the model without it, or \(ONNXImport.wayOut)")
        default: throw operation.unsupported("is no operator that is read; \(ONNXImport.wayOut)")
        }
    }

    /// Whole numbers that stand for others may be moved about, and are computed with after DequantizeLinear only.
    private func requireNumbers(_ operation: ONNXOperator) throws {
        let moving: Set = [
            "DequantizeLinear", "Cast", "Identity", "Dropout", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose",
            "MaxPool",
            "Slice", "Split", "Gather", "GlobalMaxPool",
        ]
        let quantised = operation.values.compactMap { $0?.activation?.quantisation }
        guard let first = quantised.first, !moving.contains(operation.name) else { return }
        if operation.name == "Concat", quantised.count == operation.values.count, quantised.allSatisfy({ $0 == first }) {
            return
        }
        throw operation.unsupported("computes with quantised numbers; \(ONNXImport.wayOut)")
    }

    /// The input of the softmax or sigmoid at the end.
    private func logits(_ operation: ONNXOperator) throws -> ONNXActivation {
        let input = try operation.activation(0)
        guard operation.name != "Sigmoid" else { return input }
        let axis = try softmaxAxis(operation, input)
        guard axis.allSatisfy({ $0 }) else {
            throw operation.unsupported("gives a distribution for each of several places; a classifier gives one")
        }
        return input
    }

    /// For each axis of the input, whether it is 1 or one that the softmax goes over.
    private func softmaxAxis(_ operation: ONNXOperator, _ input: ONNXActivation) throws -> [Bool] {
        // Before opset 13, all axes from the given one on.
        let isOld = operation.opset < 13
        let axis = try operation.sampleAxis(operation.integer("axis", or: isOld ? 1 : -1), of: input)
        return input.dimensions.indices.map { input.dimensions[$0] == 1 || (isOld ? $0 >= axis : $0 == axis) }
    }

    private func softmax(_ operation: ONNXOperator) throws -> ONNXValue {
        let (input, axes) = try explicit(operation.activation(0))
        let isOld = operation.opset < 13
        let axis = try operation.sampleAxis(operation.integer("axis", or: isOld ? 1 : -1), of: input)
        guard !isOld || input.dimensions[(axis + 1)...].allSatisfy({ $0 == 1 }) else {
            throw operation.unsupported("goes over several axes; one is read")
        }
        let node = try add("softmax", operation, [input.node], ["axis": .integer(axes[axis])])
        guard operation.name == "LogSoftmax" else { return .activation(input.computed(by: node)) }
        return .activation(input.computed(by: try add("log", operation, [node], suffix: "_log")))
    }

    // MARK: Functions of each number

    func number(_ operation: ONNXOperator, _ name: String, _ initial: Float) throws -> Attribute {
        .number(Double(try operation.float(name, or: initial)))
    }

    private func activation(
        _ operation: ONNXOperator, _ kind: String, _ attributes: [String: Attribute] = [:]
    ) throws -> ONNXValue {
        let input = try operation.activation(0)
        return .activation(input.computed(by: try add(kind, operation, [input.node], attributes)))
    }

    /// For students that train with it; it does nothing else.
    private func dropout(_ operation: ONNXOperator) throws -> ONNXValue {
        // An attribute before opset 12.
        let rate = try operation.optionalConstant(1)?.float() ?? operation.float("ratio", or: 0.5)
        guard (0..<1).contains(rate) else { throw operation.malformed("has the ratio \(rate)") }
        return try activation(operation, "dropout", ["rate": .number(Double(rate))])
    }

    private func parametricReLU(_ operation: ONNXOperator) throws -> ONNXValue {
        let (input, slope) = (try operation.activation(0), try operation.constant(1))
        let image = try image(input, operation)
        guard let slopes = channelwise(slope, image) else {
            throw operation.unsupported("has slopes of shape \(slope.dimensions); one for all or one a channel is read")
        }
        let node = try add("prelu", operation, [image.node], ["count": .integer(slopes.count)], weight: 1)
        fill("\(node).weight", slopes)
        return .activation(image.computed(by: node))
    }

    /// To whole numbers, as far as the layer counts.
    private static let rounding: [String: Attribute] = [
        "scale": 1.0, "low": .integer(-FakeQuantization.limit), "high": .integer(FakeQuantization.limit),
    ]

    private func selu(_ operation: ONNXOperator) throws -> ONNXValue {
        let (alpha, gamma): (Float, Float) = (1.67326319, 1.05070102)
        guard abs(try operation.float("alpha", or: alpha) - alpha) < 1e-3,
            abs(try operation.float("gamma", or: gamma) - gamma) < 1e-3
        else { throw operation.unsupported("has an alpha and gamma of its own; the usual ones are read") }
        return try activation(operation, "selu")
    }

    private func gelu(_ operation: ONNXOperator) throws -> ONNXValue {
        let approximation = try operation.text("approximate", or: "none")
        guard ["none", "tanh"].contains(approximation) else {
            throw operation.malformed("has approximate \(quoted(approximation))")
        }
        return try activation(operation, "gelu", ["approximation": .text(approximation)])
    }

    private func clip(_ operation: ONNXOperator) throws -> ONNXValue {
        func bound(_ name: String, _ input: Int) throws -> Float? {
            if case .float(let value)? = operation.node.attributes[name] { return value }
            return try operation.optionalConstant(input)?.float()
        }
        let (low, high) = (try bound("min", 1), try bound("max", 2))
        if low == 0 && high == nil { return try activation(operation, "relu") }
        var attributes: [String: Attribute] = [:]
        let widest = Float.greatestFiniteMagnitude
        if let low, low > -widest { attributes["low"] = .number(Double(low)) }
        if let high, high < widest { attributes["high"] = .number(Double(high)) }
        if attributes.isEmpty { return .activation(try operation.activation(0)) }
        return try activation(operation, "clip", attributes)
    }

    private func power(_ operation: ONNXOperator) throws -> ONNXValue {
        let exponent = try operation.constant(1)
        guard exponent.count == 1 else { throw operation.unsupported("has \(exponent.count) exponents; one is read") }
        return try activation(operation, "power", ["exponent": .number(Double(exponent.float()))])
    }

    private func castActivation(_ operation: ONNXOperator) throws -> ONNXValue {
        var input = try operation.activation(0)
        let code = try operation.integer("to", or: 0)
        guard let type = NumberType(onnx: code), NumberType.readable.contains(type) else {
            throw operation.unsupported("casts activations to ONNX's data type \(code); floating-point numbers are read")
        }
        if let quantisation = input.quantisation {
            guard quantisation == ONNXQuantisation(scale: 1, zero: 0) else {
                throw operation.unsupported("takes quantised numbers for what they are; \(ONNXImport.wayOut)")
            }
            input.quantisation = nil
        }
        return .activation(input)
    }
}
