import Numerics

/// One piece of memory for batches that are needed at different times, planned before any is made.
///
/// Time is counted in the steps of a pass. Batches whose times overlap get places of their own; the others share. The largest
/// are placed first, each as low as it fits (Pisarchyk and Lee 2020, "greedy by size").
struct MemoryPlan {
    /// A batch to be.
    struct Reservation {
        fileprivate let index: Int
        let shape: Shape
    }

    private struct Need {
        let floats: Int
        var times: ClosedRange<Int>
        var start = 0
    }

    private let samples: Int
    private var needs: [Need] = []
    private var memory: UnsafeFloatMemory?

    init(samples: Int) {
        self.samples = samples
    }

    /// - Parameter times: the first at which it is written, and the last at which it is read.
    /// - Throws: `outOfMemory` when it cannot be addressed.
    mutating func reserve(_ shape: Shape, _ times: ClosedRange<Int>) throws -> Reservation {
        needs.append(Need(floats: try Batch.floats(samples: samples, shape: shape), times: times))
        return Reservation(index: needs.count - 1, shape: shape)
    }

    /// Makes a batch last until a time, at least.
    mutating func extend(_ reservation: Reservation, to time: Int) {
        let times = needs[reservation.index].times
        needs[reservation.index].times = times.lowerBound...max(times.upperBound, time)
    }

    /// After the last reservation: finds each its place.
    /// - Throws: `outOfMemory`.
    mutating func place() throws {
        var placed: [Need] = []
        var total = 0
        for index in needs.indices.sorted(by: { needs[$0].floats > needs[$1].floats }) {
            var start = 0
            // In the order of their places, those that are needed at the same time leave gaps.
            for other in placed where other.times.overlaps(needs[index].times) {
                if start + needs[index].floats <= other.start { break }
                start = max(start, other.start + other.floats)
            }
            needs[index].start = start
            let (end, overflow) = start.addingReportingOverflow(needs[index].floats)
            guard !overflow else { throw DaflError(.outOfMemory, "the activations of \(samples) samples are too large to address") }
            total = max(total, end)
            let position = placed.firstIndex { $0.start > start } ?? placed.endIndex
            placed.insert(needs[index], at: position)
        }
        memory = try UnsafeFloatMemory(count: total)
    }

    /// What was reserved, after `place`. Its numbers are those that the memory happens to hold.
    func batch(_ reservation: Reservation) -> Batch {
        guard let memory else { preconditionFailure("batches are made after all have their places") }
        return Batch(samples: samples, shape: reservation.shape, in: memory, at: needs[reservation.index].start)
    }

    /// How much there is of it.
    var floats: Int { memory?.count ?? 0 }

    /// So that what is read before it is written shows, in tests.
    func spoil() {
        memory?.start.update(repeating: .nan, count: memory?.count ?? 0)
    }
}
