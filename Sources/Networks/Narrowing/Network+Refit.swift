import Numerics

extension Network {
    /// Fits weights of a network that was made of another, layer by layer: each to make of what this network gives it what the
    /// other's makes of the same images, with the least squared error. Each layer so makes up for what those before it lost.
    /// - Parameters:
    ///   - layers: linear layers and convolutions, in the order of the nodes, and which of the other's outputs theirs are. Those that
    ///     `LayerRefit` cannot do stay.
    ///   - teacher: the inputs of the other, and `own` of this network, which `load` writes for a batch, the same ones each time.
    package func refit(
        _ layers: [(name: String, outputs: [Int])], to other: Network, batches: Int, teacher: Batch, own images: Batch,
        _ compute: Compute, _ load: (Int) -> Void
    ) throws {
        for (name, outputs) in layers {
            guard let node = nodes.first(where: { $0.name == name }), let weight = node.layer.parameters.first?.value,
                let same = other.nodes.firstIndex(where: { $0.name == name }),
                let refit = try LayerRefit(node.layer, weights: weight.count, outputs: outputs)
            else { continue }
            let input = node.inputs[0]
            let own = try Pass(self, input: images, watching: input == Network.input ? [] : [input], compute)
            let wanted = try Pass(other, input: teacher, watching: [same], compute)
            for batch in 0..<batches {
                load(batch)
                own.forward()
                wanted.forward()
                refit.add(own.watched.first ?? own.input, wanted.watched[0], places: Self.placesOfAnImage)
            }
            let shape = [outputs.count]
            let (bias, mean, variance) = (try Tensor(shape), try Tensor(shape), try Tensor(shape))
            if let before = parameter(named: "\(name).bias")?.value ?? norm(behind: name)?.bias?.value { bias.load(before) }
            try refit.solve(weight: weight, bias: bias, mean: mean, variance: variance)
            if let own = parameter(named: "\(name).bias")?.value {
                own.load(bias)
            } else if let norm = norm(behind: name) {
                norm.pass(mean: mean, variance: variance, adding: bias)
            }
            touch()
        }
    }

    private static let placesOfAnImage = 48
}

extension BatchNorm {
    /// Makes it hand on what it gets, and a bias, where that has these statistics.
    fileprivate func pass(mean: Tensor, variance: Tensor, adding added: Tensor) {
        runningMean.value.load(mean)
        runningVariance.value.load(variance)
        for c in 0..<channels {
            weight?.value[c] = (variance[c] + epsilon).squareRoot()
            bias?.value[c] = mean[c] + added[c]
        }
    }
}
