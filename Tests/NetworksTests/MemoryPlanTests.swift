import Numerics
import Testing

@testable import Networks

@Suite struct MemoryPlanTests {
    @Test func batchesShareMemoryAtDifferentTimesOnly() throws {
        var random = Philox(seed: 1, stream: .check)
        for _ in 0..<40 {
            var plan = MemoryPlan(samples: 17)
            var reserved: [(times: ClosedRange<Int>, reservation: MemoryPlan.Reservation)] = []
            for _ in 0..<12 {
                let (start, length) = (random.next(below: 20), random.next(below: 6))
                let shape = try Shape([1 + random.next(below: 9)])
                reserved.append((start...start + length, try plan.reserve(shape, start...start + length)))
            }
            try plan.place()
            let batches = reserved.map { ($0.times, plan.batch($0.reservation)) }
            for (i, (times, batch)) in batches.enumerated() {
                for (otherTimes, other) in batches[..<i] where times.overlaps(otherTimes) {
                    #expect(batch.pointer + batch.count <= other.pointer || other.pointer + other.count <= batch.pointer)
                }
            }
        }
    }

    @Test func anInferencePassKeepsTwoLayersAtATime() throws {
        let network = try Network([1, 4, 4]) { graph in
            for _ in 0..<20 { graph.add(.tanh) }
        }
        let input = try Batch(samples: 16, shape: network.inputShape)
        let pass = try Pass(network, input: input, Compute(threads: 1))
        #expect(pass.memory.floats == 2 * input.count)
    }
}
