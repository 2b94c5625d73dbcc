import Networks
import Numerics
import Training

/// Makes a trained network smaller by what its weights tell, without data. What that costs, distillation repairs: with the
/// network as it was for a teacher, and the smaller one for a student that starts as it is.
///
///     var compression = Compression()
///     compression.multiplyAdds = 0.5
///     let smaller = try compression.applied(to: network, compute)
///
/// `Compression+Table.swift` says what each way is. Several ways are applied in the order of the table.
package struct Compression {
    package var rank = 0
    package var energy = 0.0
    package var multiplyAdds = 0.0
    package var channels = 0.0
    package var merge = 0.0
    package var mergeKnee = 0
    package var prune = 0.0
    package var bits = 0
    package var convolutionBits = 0
    package var int8 = 0
    package var weightBits = 0
    package var equalisation = 0
    package var biasCorrection = 0
    /// What `int8` needs, and what tells low rank and `channels` more than weights do.
    package var images: CalibrationImages?
    package var threads = 0

    package init() { reset() }

    /// - Parameter onProgress: told the share of the work that is done, from time to time, on the caller's thread; what it throws
    ///   ends the work.
    /// - Throws: `invalidArgument` when a way is out of its range, when none is asked for, or when the network has weights that are
    ///   not finite; `unsupported` for a network that a way can do nothing for; `diverged` where what comes out is not
    ///   finite; `outOfMemory`.
    package func applied(
        to network: Network, _ compute: Compute, onProgress: (Double) throws -> Void = { _ in }
    ) throws -> Network {
        try requireInRange()
        for parameter in network.parameters { try parameter.requireAllowed(or: .invalidArgument) }
        let ways = try ways
        guard !ways.isEmpty else { throw DaflError(.invalidArgument, "nothing is asked of the compression: every way is 0") }
        var result = network
        for (done, way) in ways.enumerated() {
            try onProgress(Double(done) / Double(ways.count))
            result = try way(result, compute) { try onProgress((Double(done) + $0) / Double(ways.count)) }
        }
        try onProgress(1)
        guard result.isFinite else {
            throw DaflError(.diverged, "the smaller network's weights are not finite: those of the network, or the images, are too large")
        }
        return result
    }

    private typealias Way = (Network, Compute, (Double) throws -> Void) throws -> Network

    private var ways: [Way] {
        get throws {
            var ways: [Way] = []
            let goals = [rank > 0 ? LowRank.Goal.rank(rank) : nil, energy > 0 ? .energy(energy) : nil,
                multiplyAdds > 0 ? .multiplyAdds(multiplyAdds) : nil].compactMap { $0 }
            guard goals.count <= 1 else {
                throw DaflError(.invalidArgument, "only one of rank, energy and multiply_adds can say how far a network is factorised")
            }
            for goal in goals {
                ways.append { [images] network, compute, onProgress in
                    let lowRank = try LowRank(network, compute, onProgress)
                    let result = try lowRank.network(goal)
                    if let images { try lowRank.refit(result, images, compute) }
                    return result
                }
            }
            if channels > 0 {
                ways.append { [channels, images] network, compute, _ in
                    guard let images else { return try ChannelPruning.pruned(network, keeping: channels) }
                    return try ChannelSelection.selected(network, keeping: channels, images, compute)
                }
            }
            guard merge == 0 || mergeKnee == 0 else {
                throw DaflError(.invalidArgument, "merge and merge_knee both say where merging ends: one of them must be 0")
            }
            if merge > 0 { ways.append { [merge] in try ChannelMerging.merged($0, .share(merge), $2) } }
            if mergeKnee == 1 { ways.append { try ChannelMerging.merged($0, .knee, $2) } }
            if prune > 0 { ways.append { [prune] network, _, _ in try Pruning.pruned(network, share: prune) } }
            guard bits > 0 || convolutionBits == 0 else {
                throw DaflError.invalid("convolution_bits", convolutionBits, "0 where bits is 0")
            }
            if bits > 0 {
                let ofConvolutions = convolutionBits > 0 ? convolutionBits : bits
                ways.append { [bits] network, _, _ in
                    try WeightSharing.shared(network, bits: bits, convolutionBits: ofConvolutions)
                }
            }
            if int8 == 1 {
                let quantisation = Quantisation(
                    weightBits: weightBits, equalises: equalisation == 1, correctsBiases: biasCorrection == 1)
                ways.append { try quantisation.network(of: $0, images, $1, $2) }
            }
            return ways
        }
    }
}
