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
    /// - Parameter share: of each group's channels that go, rounded down; at least one stays.
    static func merged(_ network: Network, share: Double, _ onProgress: (Double) throws -> Void) throws -> Network {
        let surgery = try ChannelSurgery(network)
        var plans: [Int: ChannelSurgery.Plan] = [:]
        for (done, group) in surgery.groups.enumerated() where surgery.isUniform(group.id) {
            func tell(_ share: Double) throws { try onProgress((Double(done) + share) / Double(surgery.groups.count)) }
            plans[group.id] = try plan(
                surgery.incoming(group), surgery.outgoing(group), leaving: max(1, group.size - Int(share * Double(group.size))), tell)
        }
        guard !plans.isEmpty else {
            throw DaflError(.unsupported, "the network \(network.name) has no channels that all that follows them treats alike")
        }
        return try surgery.network(plans)
    }

    private static func plan(
        _ incoming: DoubleRows, _ outgoing: DoubleRows, leaving count: Int, _ onProgress: (Double) throws -> Void
    ) throws -> ChannelSurgery.Plan {
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
        var successors: [Int: (channel: Int, factor: Double)] = [:]
        while alive.count > count {
            try onProgress(Double(size - alive.count) / Double(size - count))
            let least = alive.min { energies[$0] * neighbours[$0].distance < energies[$1] * neighbours[$1].distance }
            guard let j = least else { break }
            let i = neighbours[j].channel
            alive.removeAll { $0 == j }
            outgoing.add(j, to: i)
            energies[i] = outgoing.dot(i, i)
            successors[j] = (i, 1)
            for (k, successor) in successors where successor.channel == j { successors[k] = (i, 1) }
            for k in alive where neighbours[k].channel == j { neighbours[k] = nearest(to: k) }
        }
        return ChannelSurgery.Plan(kept: alive, successors: successors)
    }
}
