import Numerics

/// The host's sums over all ranks, with the flags that go along.
final class RankExchange {
    let rank: Int
    private let ranks: Int
    private let allReduce: DistillationOptions.AllReduce
    /// Whether the last sum ended in an error that all ranks know of.
    private var isKnown = false
    /// Whether a sum has failed: what the other ranks have is not known then.
    private var isLost = false

    /// nil for a single rank, and for one that cannot be.
    init?(rank: Int, of ranks: Int, _ allReduce: DistillationOptions.AllReduce?) {
        guard ranks > 1, (0..<ranks).contains(rank), let allReduce else { return nil }
        (self.rank, self.ranks, self.allReduce) = (rank, ranks, allReduce)
    }

    /// - Throws: `rank` where another rank has failed, `queriesSpent` where one has no more, what the host's function throws.
    func sum(_ arena: RankArena) throws {
        guard !isLost else {
            throw DaflError(
                .rank, "a sum over the ranks has failed, and what the others did is not known; all go on from checkpoints of one step")
        }
        arena.clearFlags()
        try reduce(arena)
        isKnown = true
        if arena.failed > 0 { throw failure(arena) }
        if arena.spent > 0 { throw DaflError(.queriesSpent, "max_teacher_queries is reached on another rank") }
        isKnown = false
    }

    /// In the next sum of the others, unless they know. Returns what all make of it: where one has spent its queries and another has
    /// failed, the step is done anew.
    func tell(_ error: any Error, in arena: RankArena) -> any Error {
        defer { isKnown = false }
        guard !isKnown, !isLost else { return error }
        arena.clearFlags()
        let isSpent = (error as? DaflError)?.status == .queriesSpent
        if isSpent { arena.spent = 1 } else { (arena.failed, arena.failedRank) = (1, Float(rank)) }
        do { try reduce(arena) } catch let lost { return isSpent ? lost : error }
        return isSpent && arena.failed > 0 ? failure(arena) : error
    }

    func requireFinite(_ number: Float) throws {
        guard number.isFinite else {
            isLost = true
            throw DaflError(.rank, "all_reduce returned \(number) for a sum of finite numbers")
        }
    }

    private func reduce(_ arena: RankArena) throws {
        isLost = true
        try allReduce(arena.pointer, arena.count)
        for flag in [arena.failed, arena.failedRank, arena.spent] { try requireFinite(flag) }
        isLost = false
    }

    private func failure(_ arena: RankArena) -> DaflError {
        let who = arena.failed == 1 ? "rank \(Int(min(max(arena.failedRank, 0), Float(ranks - 1))))" : "several ranks"
        return DaflError(.rank, "\(who) of \(ranks) failed or was stopped, and so this step ended on all")
    }
}
