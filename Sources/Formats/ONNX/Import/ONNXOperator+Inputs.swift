/// How many inputs operators take. One too few or too many means nothing, and must not be guessed at: a product of one number.
extension ONNXOperator {
    /// Over all versions that are read; those that are missing here take any number.
    private static let inputs: [ClosedRange<Int>: Set<String>] = [
        0...0: ["Constant"],
        1...1: [
            "Relu", "LeakyRelu", "Elu", "Selu", "Gelu", "Sigmoid", "HardSigmoid", "HardSwish", "Tanh", "Softplus", "Softsign", "Mish",
            "Round", "Floor", "Ceil", "Abs", "Sqrt", "Exp", "Log", "Neg", "Not", "Reciprocal", "Erf", "Softmax", "LogSoftmax",
            "MaxPool", "AveragePool", "GlobalMaxPool", "GlobalAveragePool", "LRN", "Flatten", "Transpose", "Identity", "Cast", "Shape",
            "Size", "ConstantOfShape",
        ],
        1...2: [
            "ReduceMean", "ReduceMax", "ReduceMin", "ReduceSum", "ReduceProd", "Squeeze", "Unsqueeze", "Split", "Upsample",
        ],
        1...3: ["Clip", "Dropout"],
        1...4: ["Resize", "Pad"],
        1...5: ["Slice"],
        1...Int.max: ["Sum", "Max", "Min", "Concat"],
        2...2: [
            "MatMul", "PRelu", "Pow", "Add", "Sub", "Mul", "Div", "Mod", "Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual",
            "And", "Or", "Gather", "CastLike", "Expand", "Tile", "Reshape",
        ],
        2...3: ["Conv", "ConvTranspose", "Gemm", "LayerNormalization", "QuantizeLinear", "DequantizeLinear"],
        3...3: ["InstanceNormalization", "GroupNormalization", "Range", "Where"],
        5...5: ["BatchNormalization"],
    ]
    private static let ranges = inputs.reduce(into: [String: ClosedRange<Int>]()) { ranges, entry in
        for name in entry.value { ranges[name] = entry.key }
    }

    /// - Throws: `format`.
    func requireInputs() throws {
        guard let range = Self.ranges[name], !range.contains(values.count) else { return }
        throw malformed("has \(values.count) inputs; it takes from \(range.lowerBound) to \(range.upperBound)")
    }
}
