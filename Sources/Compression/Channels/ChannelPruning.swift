import Networks
import Numerics

/// Channels and neurons of little weight taken out, and those most like them put in their place: a network that is really smaller.
///
/// Of each group those stay whose weights, on the way in times on the way out, are the largest. What goes is taken for a multiple
/// of the one that stays whose weights point most in its direction (Kim, Kim and Woo, "Neuron merging: compensating for pruned
/// neurons", NeurIPS 2020), if they do.
enum ChannelPruning {
    /// Less alike, a channel is left without a successor. The paper's, for linear layers.
    private static let smallestCosine = 0.45

    /// - Parameter share: of each group's channels that stays, rounded, and at least one.
    static func pruned(_ network: Network, keeping share: Double) throws -> Network {
        let surgery = try ChannelSurgery(network)
        var plans: [Int: ChannelSurgery.Plan] = [:]
        for group in surgery.groups {
            let (incoming, outgoing) = (try surgery.incoming(group), try surgery.outgoing(group))
            let weights = (0..<group.size).map { (incoming.dot($0, $0) * outgoing.dot($0, $0)).squareRoot() }
            let count = WidthScaling.size(group.size, share)
            let largest = weights.indices.sorted { weights[$0] > weights[$1] || (weights[$0] == weights[$1] && $0 < $1) }
            var plan = ChannelSurgery.Plan(kept: largest.prefix(count).sorted())
            if surgery.isHomogeneous, surgery.isUniform(group.id) {
                for channel in largest.dropFirst(count) {
                    plan.successors[channel] = successor(of: channel, among: plan.kept, incoming)
                }
            }
            plans[group.id] = plan
        }
        return try surgery.network(plans)
    }

    private static func successor(of channel: Int, among kept: [Int], _ weights: DoubleRows) -> (channel: Int, factor: Double)? {
        let length = weights.dot(channel, channel).squareRoot()
        guard length > 0 else { return nil }
        var best: (channel: Int, cosine: Double, factor: Double)?
        for other in kept {
            let size = weights.dot(other, other).squareRoot()
            guard size > 0 else { continue }
            let cosine = weights.dot(channel, other) / (length * size)
            if cosine > best?.cosine ?? smallestCosine { best = (other, cosine, length / size) }
        }
        return best.map { ($0.channel, $0.factor) }
    }
}
