import Networks
import Numerics

/// Gives the outputs of each layer the means that they had before it was rounded: rounding shifts them, and what is shifted
/// in one layer adds up in the next ones.
///
/// Nagel et al., ICCV 2019, section 4.2, on images: layer by layer, with what came before rounded and corrected already.
struct BiasCorrection {
    private let network: Network
    private let images: CalibrationImages
    private let compute: Compute
    /// By the names of layers with weights, for each channel.
    private let means: [String: [Double]]

    /// More tell hardly more of a mean, and a pass is needed for each layer.
    private static let mostImages = 256

    /// - Parameters:
    ///   - original: the network before rounding, whose layers with weights have the same names.
    ///   - network: the one that is corrected.
    init(_ network: Network, like original: Network, _ images: CalibrationImages, _ compute: Compute) throws {
        (self.network, self.images, self.compute) = (network, images.prefix(Self.mostImages), compute)
        let layers = original.nodes.indices.filter { original.nodes[$0].weightAndBias != nil }
        let found = try Self.means(original, layers, self.images, compute)
        means = Dictionary(uniqueKeysWithValues: zip(layers.map { original.nodes[$0].name }, found))
    }

    /// Adds to the bias of a node what its outputs lack.
    func correct(_ node: Int) throws {
        guard let bias = network.nodes[node].weightAndBias?.bias?.value, let wanted = means[network.nodes[node].name]
        else { return }
        let found = try Self.means(network, [node], images, compute)[0]
        for channel in 0..<bias.count { bias[channel] += Float(wanted[channel] - found[channel]) }
        bias.touch()
    }

    private static func means(
        _ network: Network, _ nodes: [Int], _ images: CalibrationImages, _ compute: Compute
    ) throws -> [[Double]] {
        let channels = nodes.map { network.nodes[$0].weightAndBias?.weight.value.shape[0] ?? 1 }
        var sums = channels.map { [Double](repeating: 0, count: $0) }
        try images.run(network, watching: nodes, compute) { batches in
            for (i, batch) in batches.enumerated() {
                // Of a linear layer along the last dimension, channels are the last.
                let isLast = (network.nodes[nodes[i]].layer as? Linear).map { $0.positions > 1 } ?? false
                let pixels = batch.elements / channels[i]
                sums[i].withUnsafeMutableBufferPointer { sums in
                    batch.forEach { element, number in
                        sums[isLast ? element % channels[i] : element / pixels] += Double(number)
                    }
                }
            }
        }
        return zip(zip(nodes, channels), sums).map { place, sums in
            let count = images.count * network.nodes[place.0].outputShape.count / place.1
            return sums.map { $0 / Double(count) }
        }
    }
}
