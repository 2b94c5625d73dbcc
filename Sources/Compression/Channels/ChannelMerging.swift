import Networks
import Numerics

/// Channels and neurons whose weights are alike made one, pair by pair: Srinivas and Babu, "Data-free parameter pruning for deep
/// neural networks", BMVC 2015.
///
/// To put i in the place of j, whose outgoing weights a_j are added to a_i, changes what follows by at most about
///
///     s_ij = mean(a_j^2) norm2(W_i - W_j)^2
///
/// with the weights W on the way in and the bias at their end. The pair with the least of it goes first.
enum ChannelMerging {
    /// Where a group's merging ends.
    enum Goal {
        /// The share of its channels that go, rounded down.
        case share(Double)
        /// Behind it each pair that goes costs much more than the ones before.
        case knee
    }

    /// A channel that goes, the one that takes its place, and what that changes.
    struct Step {
        let channel: Int
        let successor: Int
        let saliency: Double
    }

    /// At least one channel of each group stays.
    static func merged(_ network: Network, _ goal: Goal, _ onProgress: (Double) throws -> Void) throws -> Network {
        let surgery = try ChannelSurgery(network)
        var plans: [Int: ChannelSurgery.Plan] = [:]
        for (done, group) in surgery.groups.enumerated() where surgery.isUniform(group.id) {
            func tell(_ share: Double) throws { try onProgress((Double(done) + share) / Double(surgery.groups.count)) }
            let most: Int
            switch goal {
            case .share(let share): most = min(group.size - 1, Int(share * Double(group.size)))
            case .knee: most = group.size - 1
            }
            var steps = try steps(surgery.incoming(group), surgery.outgoing(group), count: most, tell)
            if case .knee = goal { steps.removeLast(steps.count - knee(of: steps.map(\.saliency))) }
            plans[group.id] = plan(steps, size: group.size)
        }
        guard !plans.isEmpty else {
            throw DaflError(.unsupported, "the network \(network.name) has no channels that all that follows them treats alike")
        }
        return try surgery.network(plans)
    }

    /// How many values of a rising curve lie before its knee: where, behind its middle, it is for the first time twice as high as the
    /// line from its beginning through its middle; 0 where it has none. A value below those before it counts as the largest of these.
    ///
    /// The last few neurons of a layer cost thousands of times what most do, so that a knee between the curve's ends would leave hardly
    /// more than these.
    static func knee(of values: [Double]) -> Int {
        var curve: [Double] = []
        for value in values { curve.append(max(value, curve.last ?? value)) }
        guard curve.count > 1 else { return 0 }
        let middle = curve.count / 2
        let slope = (curve[middle] - curve[0]) / Double(middle)
        return curve.indices.first { $0 > middle && curve[$0] > 2 * (curve[0] + slope * Double($0)) } ?? 0
    }

    private static func plan(_ steps: [Step], size: Int) -> ChannelSurgery.Plan {
        var successors: [Int: (channel: Int, factor: Double)] = [:]
        for step in steps {
            successors[step.channel] = (step.successor, 1)
            for (k, successor) in successors where successor.channel == step.channel { successors[k] = (step.successor, 1) }
        }
        return ChannelSurgery.Plan(kept: (0..<size).filter { successors[$0] == nil }, successors: successors)
    }

    private static func steps(
        _ incoming: DoubleRows, _ outgoing: DoubleRows, count: Int, _ onProgress: (Double) throws -> Void
    ) throws -> [Step] {
        let size = incoming.count
        let squares = (0..<size).map { incoming.dot($0, $0) }
        var energies = (0..<size).map { outgoing.dot($0, $0) }
        func distance(_ i: Int, _ j: Int) -> Double { max(0, squares[i] + squares[j] - 2 * incoming.dot(i, j)) }
        var alive = Array(0..<size)
        // Of each, the one most like it.
        func nearest(to j: Int) -> (channel: Int, distance: Double) {
            alive.lazy.filter { $0 != j }.map { ($0, distance($0, j)) }.min { $0.1 < $1.1 } ?? (j, .infinity)
        }
        var neighbours = (0..<size).map(nearest)
        // The mean of the squares over a channel's weights, as many for each.
        func saliency(_ j: Int) -> Double { energies[j] / Double(max(1, outgoing.length)) * neighbours[j].distance }
        var steps: [Step] = []
        while steps.count < count, let j = alive.min(by: { saliency($0) < saliency($1) }) {
            try onProgress(Double(steps.count) / Double(count))
            let i = neighbours[j].channel
            steps.append(Step(channel: j, successor: i, saliency: saliency(j)))
            alive.removeAll { $0 == j }
            outgoing.add(j, to: i)
            energies[i] = outgoing.dot(i, i)
            for k in alive where neighbours[k].channel == j { neighbours[k] = nearest(to: k) }
        }
        return steps
    }
}
