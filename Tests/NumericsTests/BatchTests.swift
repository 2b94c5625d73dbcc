import Numerics
import Testing

@Suite struct BatchTests {
    @Test(arguments: [(0, 0), (1, 1), (15, 1), (16, 1), (17, 2), (32, 2), (100, 7)])
    func blocksHoldSixteenSamplesEach(samples: Int, blocks: Int) throws {
        let batch = try Batch(samples: samples, shape: Shape([3, 2]))
        #expect(batch.blocks == blocks)
        #expect(batch.elements == 6)
        #expect(batch.count == blocks * 6 * 16)
        #expect((0..<batch.count).allSatisfy { batch.pointer[$0] == 0 })
    }

    @Test func samplesLieSideBySideInLanes() throws {
        let batch = try Batch(samples: 20, shape: Shape([3]))
        batch[18, 1] = 5
        #expect((0..<batch.count).filter { batch.pointer[$0] != 0 } == [1 * 3 * 16 + 1 * 16 + 2])
        #expect(batch[18, 1] == 5)
    }

    @Test(arguments: [1, 5, 16, 17, 31, 33, 64], [1, 2, 3]) func rowsSurviveTheWayToLanesAndBack(
        samples: Int, threads: Int
    ) throws {
        for elements in [1, 7, 16, 35] {
            for level in 0..<3 {
                let compute = try Compute(threads: threads, level: level)
                let rows = (0..<samples * elements).map { Float($0 + 1) }
                let batch = try Batch(samples: samples, shape: Shape([elements]))
                batch.fill(.nan)
                batch.load(rows: rows, compute)
                for sample in 0..<batch.blocks * Batch.lanes {
                    for element in 0..<elements {
                        #expect(batch[sample, element] == (sample < samples ? rows[sample * elements + element] : 0))
                    }
                }
                // One number past the end shows a write too far.
                var back = [Float](repeating: -1, count: rows.count + 1)
                batch.store(rows: &back, compute)
                #expect(back == rows + [-1])
            }
        }
    }

    @Test(arguments: [1, 3]) func picksChooseTheRows(threads: Int) throws {
        let compute = try Compute(threads: threads)
        let rows = (0..<10 * 5).map { Float($0) }
        let picks = [9, 0, 3, 3, 7, 9, 1, 2, 4, 5, 6, 8, 0, 1, 2, 3, 9, 9, 5]
        let batch = try Batch(samples: picks.count, shape: Shape([5]))
        batch.load(rows: rows, picks: picks, compute)
        for (sample, pick) in picks.enumerated() {
            for element in 0..<5 { #expect(batch[sample, element] == rows[pick * 5 + element]) }
        }
        for sample in picks.count..<32 { #expect((0..<5).allSatisfy { batch[sample, $0] == 0 }) }
    }

    @Test func loadCopies() throws {
        let (first, second) = (try Batch(samples: 3, shape: Shape([2])), try Batch(samples: 3, shape: Shape([2])))
        first.fill(4)
        second.load(first)
        first.fill(9)
        #expect((0..<second.count).allSatisfy { second.pointer[$0] == 4 })
    }

    @Test(arguments: [(1 << 50, 1), (1, 1 << 50), (1 << 40, 1 << 40), (.max, 1), (.max, .max), (1, .max)])
    func hugeBatchesAreOutOfMemory(samples: Int, elements: Int) throws {
        let shape = try Shape([elements])
        let error = #expect(throws: DaflError.self) { try Batch(samples: samples, shape: shape) }
        #expect(error?.status == .outOfMemory)
    }
}
