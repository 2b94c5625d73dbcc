import Numerics

extension Network {
    /// A network with the same outputs, in inference, without those batch normalisations that directly follow a
    /// convolution or a linear layer: that layer's weights and bias do their work.
    ///
    /// A normalisation stays where the layer's output is also read elsewhere, or is the network's feature, or where
    /// either shares weights.
    /// - Throws: `outOfMemory`.
    package func foldingBatchNorms() throws -> Network {
        let pairs = foldablePairs
        guard !pairs.isEmpty else { return try copy() }
        let names = Dictionary(uniqueKeysWithValues: pairs.map { ($0.norm, $0.layer) })
        var graph = graph
        graph.nodes = graph.nodes.filter { names[$0.name] == nil }.map { node in
            var node = node
            node.inputs = node.inputs.map { names[$0] ?? $0 }
            if names.values.contains(node.name) { node.attributes["bias"] = true }
            return node
        }
        graph.output = graph.output.map { names[$0] ?? $0 } ?? (names[self.graph.last] ?? self.graph.last)
        graph.feature = graph.feature.map { names[$0] ?? $0 }

        let network = try Network(graph)
        network.loadWeights(of: self)
        let layers = Dictionary(uniqueKeysWithValues: nodes.map { ($0.name, $0.layer) })
        for (layer, norm) in pairs {
            guard let norm = layers[norm] as? BatchNorm, let weight = network.parameter(named: "\(layer).weight"),
                let bias = network.parameter(named: "\(layer).bias")
            else { continue }
            norm.fold(into: weight.value, bias.value)
        }
        return network
    }

    private var foldablePairs: [(layer: String, norm: String)] {
        let readers = readers
        let sharing = graph.sharingNodes
        return nodes.compactMap { node in
            guard node.layer is BatchNorm, let input = node.inputs.first, input != Network.input, readers[input]?.count == 1,
                input != featureNode, nodes[input].isNormalisedByOutput,
                sharing.isDisjoint(with: [node.name, nodes[input].name])
            else { return nil }
            return (nodes[input].name, node.name)
        }
    }
}

extension Network.Node {
    /// Whether its outputs are the channels of what reads it: not so when a linear layer works along the last
    /// dimension.
    fileprivate var isNormalisedByOutput: Bool { layer is Convolution || (layer is Linear && outputShape.rank == 1) }
}

extension BatchNorm {
    /// y = s (W x + b - mean) + bias with s = weight / sqrt(variance + epsilon), so that W becomes s W.
    /// - Parameter weights: a row for each channel.
    fileprivate func fold(into weights: Tensor, _ biases: Tensor) {
        let row = weights.count / channels
        for c in 0..<channels {
            let scale = (weight?.value[c] ?? 1) / (runningVariance.value[c] + epsilon).squareRoot()
            for i in c * row..<(c + 1) * row { weights[i] *= scale }
            biases[c] = (biases[c] - runningMean.value[c]) * scale + (bias?.value[c] ?? 0)
        }
    }
}
