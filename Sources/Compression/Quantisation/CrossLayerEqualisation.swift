import Networks
import Numerics

/// Scales the channels between two layers so that both use their ranges alike, without a change to what the network computes:
/// what the first layer makes of a channel is divided by a number, by which the second multiplies it.
///
/// Nagel, van Baalen, Blankevoort and Welling, "Data-free quantization through weight equalization and bias correction", ICCV
/// 2019, section 4.1: with r1 and r2 the largest weights of a channel in both, s = sqrt(r1 r2) / r2 makes them the same. Between
/// them may stand what commutes with a positive factor for each channel: ReLU and its leaky kin, poolings, a flattening. A
/// ReLU6 or another clip does not, and layers on both of its sides are left alone.
struct CrossLayerEqualisation {
    private struct Pair {
        let first: Parameter
        let bias: Parameter?
        let second: Parameter
        /// Of the second layer, each with the outputs that read it.
        let groups: Int
        let channels: Int
    }

    private let pairs: [Pair]
    private static let sweeps = 30
    /// A factor this close to 1 is none.
    private static let closeness: Float = 1e-3
    /// Channels that are next to nothing are not blown up without end.
    private static let largestFactor: Float = 1024

    init(_ network: Network) {
        let readers = network.readers
        pairs = network.nodes.indices.compactMap { index in
            guard let (first, bias) = network.nodes[index].weightAndBias, network.nodes[index].hasChannels else { return nil }
            var place = index
            while let own = readers[place], own.count == 1 {
                place = own[0]
                let node = network.nodes[place]
                if let (second, _) = node.weightAndBias {
                    guard node.hasChannels else { return nil }
                    let groups = (node.layer as? Convolution)?.geometry.groups ?? 1
                    return Pair(first: first, bias: bias, second: second, groups: groups, channels: first.value.shape[0])
                }
                guard node.commutesWithFactors else { return nil }
            }
            return nil
        }
    }

    /// Changes weights and biases, of a network whose normalisations are folded.
    func apply() {
        for _ in 0..<Self.sweeps {
            let largest = pairs.map(equalise).max() ?? 0
            if largest < Self.closeness { return }
        }
    }

    /// The largest change, as the logarithm of a factor.
    private func equalise(_ pair: Pair) -> Float {
        let (first, second) = (pair.first.value, pair.second.value)
        let row = first.count / pair.channels
        // [outputs, channels of a group, taps]
        let outputs = second.shape[0], perGroup = pair.channels / pair.groups
        let taps = second.count / outputs / perGroup, outputsPerGroup = outputs / pair.groups
        var change: Float = 0
        for channel in 0..<pair.channels {
            let (group, place) = (channel / perGroup, channel % perGroup)
            func forEachWeight(_ body: (Int) -> Void) {
                for output in group * outputsPerGroup..<(group + 1) * outputsPerGroup {
                    let start = (output * perGroup + place) * taps
                    for i in start..<start + taps { body(i) }
                }
            }
            let r1 = (channel * row..<(channel + 1) * row).reduce(Float(0)) { max($0, abs(first[$1])) }
            var r2: Float = 0
            forEachWeight { r2 = max(r2, abs(second[$0])) }
            guard r1 > 0, r2 > 0 else { continue }
            let factor = min(max((r1 / r2).squareRoot(), 1 / Self.largestFactor), Self.largestFactor)
            for i in channel * row..<(channel + 1) * row { first[i] /= factor }
            if let bias = pair.bias { bias.value[channel] /= factor }
            forEachWeight { second[$0] *= factor }
            change = max(change, abs(factor - 1))
        }
        first.touch()
        second.touch()
        return change
    }
}

extension Network.Node {
    /// Whether its weights have a row for each channel of its output and a column for each of its input: not so when a linear
    /// layer works along the last dimension.
    fileprivate var hasChannels: Bool { layer is Convolution || (layer as? Linear)?.positions == 1 }

    fileprivate var commutesWithFactors: Bool {
        switch kind {
        case .relu, .leakyReLU, .prelu, .maxPool, .averagePool, .globalAveragePool, .globalMaxPool, .flatten, .crop, .dropout: true
        default: false
        }
    }
}
