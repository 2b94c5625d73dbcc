import Networks
import Numerics

/// A network in eight bits: weights as whole numbers times a step of each output channel, activations as whole numbers from
/// 0 to 255 times a step of each layer, biases as whole numbers of 32 bits; logits stay floats.
///
/// Numbers stay floats that are such multiples (`WeightGrid`), so that the network still trains, with the gradient straight
/// through the rounding of activations. Of a network that rounds its activations already, only weights and biases are put
/// on their grids: what training moved goes back, and a network that is in eight bits stays the same.
struct Quantisation {
    var weightBits: Int
    var equalises: Bool
    var correctsBiases: Bool

    /// - Parameter images: that the ranges of activations and the shifts of means are seen on; nil only for a network that rounds
    ///   its activations already.
    func network(
        of network: Network, _ images: CalibrationImages?, _ compute: Compute, _ onProgress: (Double) throws -> Void
    ) throws -> Network {
        guard network.graph.sharingNodes.isEmpty else {
            throw DaflError(.unsupported, "the network \(network.name) has layers that share weights, which int8 does not take")
        }
        let original = try network.foldingBatchNorms()
        guard original.nodes.contains(where: { $0.weightAndBias != nil }) else {
            throw DaflError(.unsupported, "the network \(network.name) has no linear layer or convolution")
        }
        let result: Network
        if original.nodes.contains(where: { $0.layer is FakeQuantization }) {
            result = try original.copy()
        } else {
            guard let images else {
                throw DaflError(
                    .invalidArgument,
                    "images is NULL, and int8 needs some to see the ranges of activations: "
                        + "dafl_distillation_generate makes them without data")
            }
            if equalises { CrossLayerEqualisation(original).apply() }
            result = try rounding(original, images, compute)
        }
        try onProgress(Self.shareOfRanges)

        let layers = result.nodes.indices.filter { result.nodes[$0].weightAndBias != nil }
        var hasMoved = false
        for index in layers { hasMoved = result.roundWeights(of: index, bits: weightBits) || hasMoved }
        // Of weights that have not moved there is nothing to correct.
        let correction =
            try correctsBiases && hasMoved ? images.map { try BiasCorrection(result, like: original, $0, compute) } : nil
        for (done, index) in layers.enumerated() {
            try correction?.correct(index)
            result.roundBias(of: index)
            try onProgress(Self.shareOfRanges + (1 - Self.shareOfRanges) * Double(done + 1) / Double(layers.count))
        }
        return result
    }

    private static let shareOfRanges = 0.3

    /// The same network with its activations rounded, and weights as they are.
    private func rounding(_ network: Network, _ images: CalibrationImages, _ compute: Compute) throws -> Network {
        let places = network.quantisedPlaces
        var ranges = places.map { _ in ActivationRange() }
        try images.run(network, watching: places, compute) { for (i, batch) in $0.enumerated() { ranges[i].widen(by: batch) } }
        for (place, range) in zip(places, ranges) where !range.isFinite {
            let name = place == Network.input ? Graph.input : network.nodes[place].name
            throw DaflError(.invalidArgument, "images make numbers in \"\(name)\" of the network that are not finite")
        }
        try images.run(network, watching: places, compute) { for (i, batch) in $0.enumerated() { ranges[i].count(batch) } }
        let result = try Network(network.graph(rounding: Dictionary(uniqueKeysWithValues: zip(places, ranges.map(\.grid)))))
        result.loadWeights(of: network)
        return result
    }
}

extension Network {
    /// Puts a layer's weights on their grid; tells whether one has changed.
    fileprivate func roundWeights(of index: Int, bits: Int) -> Bool {
        guard let input = grid(readBy: index), let (weight, bias) = nodes[index].weightAndBias else { return false }
        let values = weight.value, outputs = values.shape[0], row = values.count / outputs
        let before = (0..<values.count).map { values[$0] }
        WeightGrid.round(values, outputs: outputs, bits: bits)
        // Next to a bias that would be no whole number of 32 bits, weights are nothing.
        if let bias = bias?.value, let grid = WeightGrid(of: values, outputs: outputs) {
            for output in 0..<outputs where grid.scales[output] > 0 {
                if abs(bias[output]) / (grid.scales[output] * input.scale) < Self.mostBiasSteps { continue }
                for i in output * row..<(output + 1) * row { values[i] = 0 }
            }
        }
        return before.indices.contains { before[$0] != values[$0] }
    }

    /// Leaves room for the correction.
    private static var mostBiasSteps: Float { WeightGrid.largestBias / 2 }

    /// Puts a layer's bias on the grid of what it is added to, once its weights are on theirs. A channel without weights keeps
    /// its bias.
    fileprivate func roundBias(of index: Int) {
        guard let input = grid(readBy: index), let (weight, bias) = nodes[index].weightAndBias, let bias = bias?.value,
            let grid = WeightGrid(of: weight.value, outputs: weight.value.shape[0])
        else { return }
        for output in 0..<bias.count where grid.scales[output] > 0 {
            let scale = grid.biasScale(output, bias[output], input)
            bias[output] = (bias[output] / scale).rounded() * scale
        }
        bias.touch()
    }
}
