import Numerics

extension Network {
    /// For each layer with weights, by its name, the grid that it reads and that of its weights, where the whole network can be
    /// computed in whole numbers: all its linear layers and convolutions read activations of eight bits and have weights and
    /// biases on their grids. nil for any other network.
    package var eightBitLayers: [String: (input: ActivationGrid, weights: WeightGrid)]? {
        var layers: [String: (input: ActivationGrid, weights: WeightGrid)] = [:]
        for (index, node) in nodes.enumerated() {
            guard !node.layer.parameters.isEmpty else { continue }
            if node.layer is TransposedConvolution { return nil }
            guard let (weight, bias) = node.weightAndBias else { continue }
            guard let input = grid(readBy: index), input.isOfBytes,
                let grid = WeightGrid(of: weight.value, outputs: weight.value.shape[0]),
                bias.map({ grid.holds($0.value, input) }) ?? true
            else { return nil }
            layers[node.name] = (input, grid)
        }
        return layers.isEmpty ? nil : layers
    }
}

extension Network.Node {
    /// Of a linear layer or a convolution; the weight's first dimension are its outputs. nil for others.
    package var weightAndBias: (weight: Parameter, bias: Parameter?)? {
        switch layer {
        case let layer as Convolution: (layer.weight, layer.bias)
        case let layer as Linear: (layer.weight, layer.bias)
        default: nil
        }
    }
}

extension WeightGrid {
    /// Of a bias, of which whole numbers are added to sums of products of steps of both grids; for a channel without weights,
    /// any: one that holds the bias in nearly as many bits as it has.
    package func biasScale(_ output: Int, _ bias: Float, _ input: ActivationGrid) -> Float {
        if scales[output] > 0 { return scales[output] * input.scale }
        return input.scale * weightlessScale(bias, input)
    }

    /// The step that a file gives a channel without weights.
    package func weightlessScale(_ bias: Float, _ input: ActivationGrid) -> Float {
        guard abs(bias) >= Self.smallest else { return 1 }
        return Float(sign: .plus, exponent: bias.exponent - input.scale.exponent - 23, significand: 1)
    }

    /// Whether biases are whole numbers of their steps, as close as floats can say.
    fileprivate func holds(_ biases: Tensor, _ input: ActivationGrid) -> Bool {
        (0..<biases.count).allSatisfy { output in
            let scale = biasScale(output, biases[output], input), steps = biases[output] / scale
            guard scale.isNormal, abs(steps) < Self.largestBias else { return false }
            return scales[output] == 0 || abs(steps - steps.rounded()) <= max(1e-2, abs(steps) * 0x1p-22)
        }
    }
}
