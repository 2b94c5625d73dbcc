/// What follows a convolution or its batch normalisation.
enum Activating {
    case relu
    /// Between 0 and 6.
    case relu6
}

extension Graph {
    /// Adds a convolution that keeps the sides, or divides them by its stride, and its batch normalisation.
    /// - Parameters:
    ///   - inputs: nil for the node added last.
    ///   - activation: nil for none.
    /// - Returns: the name of the last node.
    @discardableResult
    mutating func addConvolution(
        _ name: String, norm: String, inputs: [String]? = nil, outputs: Int, kernel: Int, stride: Int = 1, groups: Int = 1,
        bias: Bool = false, _ activation: Activating? = .relu
    ) -> String {
        add(
            .convolution, name, inputs: inputs,
            .convolution(outputs: outputs, kernel: kernel, stride: stride, groups: groups, bias: bias))
        add(.batchNorm, norm)
        switch activation {
        case .relu: add(.relu)
        case .relu6: add(.clip, ["low": 0, "high": 6])
        case nil: break
        }
        return last
    }

    /// The mean over the image and one linear layer, which takes it as the feature.
    mutating func addClassifier(_ name: String, classes: Int) {
        add(.globalAveragePool)
        feature = add(.flatten)
        add(.linear, name, ["outputs": .integer(classes)])
    }
}

extension [String: Attribute] {
    /// Of a convolution with a square kernel and half of it as padding; what is the default is left out.
    static func convolution(outputs: Int, kernel: Int, stride: Int = 1, groups: Int = 1, bias: Bool = true) -> Self {
        var attributes: Self = ["outputs": .integer(outputs), "kernel": .integer(kernel)]
        if kernel > 1 { attributes["padding"] = .integer(kernel / 2) }
        if stride > 1 { attributes["stride"] = .integer(stride) }
        if groups > 1 { attributes["groups"] = .integer(groups) }
        if !bias { attributes["bias"] = false }
        return attributes
    }
}
