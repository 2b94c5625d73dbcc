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
    private let count: Int
    private let arena: RankArena
    private let exchange: RankExchange
    private var rollCall: RollCall
    private var hasMet = false

    /// In an arena, at most: a megabyte.
    private static let mostRoom = 1 << 18

    /// nil for a single rank.
    /// - Parameters:
    ///   - student: whose size is the arena's.
    ///   - classes: as many numbers are averaged at once.
    /// - Throws: `outOfMemory`.
    init?(_ options: DistillationOptions, student: Network, of teacher: any Teacher, classes: Int) throws {
        guard let exchange = RankExchange(rank: options.rank, of: options.ranks, options.allReduce) else { return nil }
        (count, self.exchange) = (options.ranks, exchange)
        let floats = student.averaged.reduce(0) { $0 + $1.count }
        arena = try RankArena(room: max(classes, min(floats, Self.mostRoom)))
        rollCall = try RollCall(rank: options.rank, ranks: options.ranks)
        let checksums = options.checksums(teacher)
        rollCall.add(.options, options.sharedText)
        let shapes = student.parameters.map { "\($0.name) \($0.value.shape)" } + student.nodes.map { "\($0.kind)" }
        rollCall.add(.students, "\(shapes) \(checksums[DistillationOptions.studentWeights] ?? "")")
        rollCall.add(
            .teachers, "\(teacher.inputShape) \(teacher.classes) \(teacher.features) "
                + "\(checksums[DistillationOptions.teacherWeights] ?? "") \(options.inputStatistics?.text ?? "")")
    }

    /// Once a process, in its first step: refuses ranks of different runs, and gives all the student of rank 0, whose weights another
    /// processor may have drawn or fitted a little otherwise.
    /// - Throws: `invalidArgument`, and as `average`.
    func meet(_ student: [Tensor], step: Int) throws {
        guard !hasMet else { return }
        rollCall.add(.stepsDone, "\(step)")
        rollCall.begin()
        try exchange.sum(rollCall.arena)
        try rollCall.check()
        if exchange.rank > 0 { for tensor in student { tensor.fill(0) } }
        try combine(student, scale: 1)
        hasMet = true
    }

    /// For a run that could not be made, of which the others learn in their first step.
    /// - Parameters: as the host gave them.
    package static func tellOfNone(rank: Int, of ranks: Int, _ allReduce: DistillationOptions.AllReduce?, _ error: any Error) {
        guard ranks <= RollCall.mostRanks, let exchange = RankExchange(rank: rank, of: ranks, allReduce),
            let call = try? RollCall(rank: rank, ranks: ranks)
        else { return }
        _ = exchange.tell(error, in: call.arena)
    }

    /// In place: the means over all ranks.
    /// - Throws: `rank` where another rank has failed, or what the host's function throws.
    func average(_ tensors: [Tensor]) throws { try combine(tensors, scale: 1 / Float(count)) }

    /// As many as there are classes, at most.
    func average(_ numbers: Doubles) throws {
        arena.clear()
        for i in 0..<numbers.count { arena[i] = Float(numbers[i]) }
        try exchange.sum(arena)
        for i in 0..<numbers.count { numbers[i] = Double(arena[i]) / Double(count) }
    }

    /// Of finite numbers.
    func average(_ a: Double, _ b: Double) throws -> (Double, Double) {
        arena.clear()
        (arena[0], arena[1]) = (Float(a), Float(b))
        try exchange.sum(arena)
        try exchange.requireFinite(arena[0] + arena[1])
        return (Double(arena[0]) / Double(count), Double(arena[1]) / Double(count))
    }

    /// Returns when all ranks have come here.
    func agree() throws { try exchange.sum(arena) }

    /// Lets the others know that this rank ends the step, or does not begin it, unless they do. Returns the error that the step ends with.
    func tell(_ error: any Error) -> any Error {
        arena.clear()
        return hasMet ? exchange.tell(error, in: arena) : error
    }

    private func combine(_ tensors: [Tensor], scale: Float) throws {
        var (from, to) = (TensorsPlace(), TensorsPlace())
        repeat {
            arena.load(tensors, &from)
            try exchange.sum(arena)
            arena.store(tensors, &to, scale: scale)
        } while from.tensor < tensors.count
    }
}

extension Network {
    /// What ranks average before a step of the optimiser: gradients, and running statistics.
    var averaged: [Tensor] { parameters.filter { $0.initial != .kept }.map { $0.gradient ?? $0.value } }
}

extension InputStatistics {
    fileprivate var text: String { (0..<count).map { "\(means?[$0] ?? 0) \(deviations?[$0] ?? 1)" }.joined(separator: " ") }
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
        var random = Philox(seed: seed, stream: .ranks, skipping: 4 * rank)
        return random.nextSeed()
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
