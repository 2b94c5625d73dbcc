import Networks
import Numerics
import Training

/// The runs of one distillation in several processes, which do each step together (data parallel).
///
/// All have one student: each learns from images of its own, and the mean of their gradients moves the weights of all alike. What
/// one rank alone sees and a step depends on, such as whether images are fit, is averaged too, so that all decide the same.
///
/// Every exchange sums an arena of one size, with flags at its end. So a rank that fails, wherever in a step, has only to take part
/// in the next exchange, whatever that is, for all to know; and since a step ends with one, either all have done it or none.
package final class Ranks {
    /// The sum of `count` floats over all ranks, in place.
    package typealias AllReduce = (_ sum: UnsafeMutablePointer<Float>, _ count: Int) throws -> Void

    let rank: Int
    let count: Int
    private let allReduce: AllReduce
    private let arena: RankArena
    private var hasMet = false
    /// Whether the last exchange ended in an error, which all know of then, or nobody can be told.
    private var hasFailed = false

    /// In an arena, at most: a megabyte.
    private static let mostRoom = 1 << 18

    /// nil for a single rank.
    /// - Parameter student: whose size is the arena's, and that all ranks begin with as rank 0 has it.
    /// - Throws: `outOfMemory`.
    init?(_ options: DistillationOptions, student: [Tensor], classes: Int) throws {
        guard options.ranks > 1, let allReduce = options.allReduce else { return nil }
        (rank, count, self.allReduce) = (options.rank, options.ranks, allReduce)
        let floats = student.reduce(0) { $0 + $1.count }
        arena = try RankArena(room: max(classes, min(floats, Self.mostRoom)))
    }

    /// Once a process, in its first step: refuses ranks of different runs, and gives all the student of rank 0, whose weights another
    /// processor may have drawn or fitted a little otherwise.
    /// - Throws: `invalidArgument`, and as `average`.
    func meet(_ student: [Tensor], step: Int, _ options: DistillationOptions) throws {
        guard !hasMet else { return }
        var call = try RollCall(rank: rank, ranks: count)
        call.add(options.sharedText)
        call.add("\(step)")
        try exchange(call.arena)
        try call.check(named: ["options", "steps done"])
        if rank > 0 { for tensor in student { tensor.fill(0) } }
        try combine(student, scale: 1)
        hasMet = true
    }

    /// In place: the means over all ranks.
    /// - Throws: `rank` where another rank has failed, or what the host's function throws.
    func average(_ tensors: [Tensor]) throws { try combine(tensors, scale: 1 / Float(count)) }

    /// As many as there are classes, at most.
    func average(_ numbers: Doubles) throws {
        arena.clear()
        for i in 0..<numbers.count { arena[i] = Float(numbers[i]) }
        try exchange(arena)
        for i in 0..<numbers.count { numbers[i] = Double(arena[i]) / Double(count) }
    }

    func average(_ a: Double, _ b: Double) throws -> (Double, Double) {
        arena.clear()
        (arena[0], arena[1]) = (Float(a), Float(b))
        try exchange(arena)
        return (Double(arena[0]) / Double(count), Double(arena[1]) / Double(count))
    }

    /// Comes back when all ranks have come here.
    func agree() throws { try exchange(arena) }

    /// Lets the others know that this rank ends the step, or does not begin it, unless they do.
    func tell(_ error: any Error) {
        defer { hasFailed = false }
        guard hasMet, !hasFailed else { return }
        arena.clear()
        if (error as? DaflError)?.status == .queriesSpent { arena.spent = 1 } else { (arena.failed, arena.failedRank) = (1, Float(rank)) }
        try? allReduce(arena.pointer, arena.count)
        arena.clear()
    }

    private func combine(_ tensors: [Tensor], scale: Float) throws {
        var (from, to) = (TensorsPlace(), TensorsPlace())
        repeat {
            arena.load(tensors, &from)
            try exchange(arena)
            arena.store(tensors, &to, scale: scale)
        } while from.tensor < tensors.count
    }

    private func exchange(_ arena: RankArena) throws {
        hasFailed = true
        try allReduce(arena.pointer, arena.count)
        let (failed, rank, spent) = (arena.failed, arena.failedRank, arena.spent)
        arena.clearFlags()
        if failed > 0 {
            let who = failed == 1 ? "rank \(Int(rank))" : "\(Int(failed)) ranks"
            throw DaflError(.rank, "\(who) of \(count) ended the step, and with it this one's; the error there says why")
        }
        if spent > 0 { throw DaflError(.queriesSpent, "max_teacher_queries is reached on another rank") }
        hasFailed = false
    }
}

extension Network {
    /// What ranks average before a step of the optimiser: gradients, and running statistics.
    var averaged: [Tensor] { parameters.filter { $0.initial != .kept }.map { $0.gradient ?? $0.value } }
}

extension DistillationOptions {
    /// Options that ranks may have each its own.
    private static let ofARank: Set = ["rank", "student", "threads", "instruction_set", "checkpoint", "checkpoint_seconds"]

    /// What all ranks must have alike.
    fileprivate var sharedText: String {
        Self.table.filter { !Self.ofARank.contains($0.name) }.map { "\($0.name)=\($0.value?(self).text ?? "")" }.joined(separator: "\n")
    }

    /// Of what a rank draws for itself: images, and what is done to them.
    var ownSeed: UInt64 {
        guard rank > 0 else { return seed }
        let block = Philox.block(
            counter: (UInt32(rank), 0, 0, 0), key: (UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed >> 32)))
        return UInt64(block.0) | UInt64(block.1) << 32
    }

    func requireRanks() throws {
        guard rank < ranks else { throw DaflError.invalid("rank", rank, "below ranks, \(ranks)") }
        guard ranks == 1 || allReduce != nil else { throw DaflError.invalid("all_reduce", "NULL", "a function where ranks is above 1") }
        guard ranks == 1 || checkpoint.isEmpty || checkpointSteps > 0 else {
            throw DaflError.invalid(
                "checkpoint_steps", checkpointSteps, "above 0 with checkpoint and ranks above 1, whose files have to be of the same step")
        }
    }
}
