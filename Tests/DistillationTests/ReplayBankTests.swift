import Numerics
import Testing

@testable import Distillation

/// The bank keeps the newest images, draws from all of them, and never parts an image from its logits.
struct ReplayBankTests {
    private let image: Shape
    private let compute: Compute

    init() throws {
        image = try Shape([1, 2, 2])
        compute = try Compute(threads: 1)
    }

    /// Images of one number each, from `first` up, with that number as the logits.
    private func numbered(from first: Int, count: Int) throws -> (images: Batch, logits: Batch) {
        let (images, logits) = (try Batch(samples: count, shape: image), try Batch(samples: count, shape: Shape([3])))
        for i in 0..<count {
            for e in 0..<4 { images[i, e] = Float(first + i) }
            for k in 0..<3 { logits[i, k] = Float(first + i) }
        }
        return (images, logits)
    }

    private func drawn(_ bank: ReplayBank, labelled: Bool = false, draws: Int = 40) throws -> Set<Float> {
        var random = Philox(seed: 1, stream: .replay)
        let (images, logits) = (try Tensor([4, 4]), try Batch(samples: 4, shape: Shape([3])))
        var seen: Set<Float> = []
        for _ in 0..<draws {
            let labels = bank.draw(&random, images: images, logits: logits, compute)
            #expect(labels?.array == (labelled ? (0..<4).map { Int(images[4 * $0]) } : nil))
            for i in 0..<4 {
                #expect((0..<4).allSatisfy { images[4 * i + $0] == images[4 * i] })
                #expect((0..<3).allSatisfy { logits[i, $0] == images[4 * i] })
                seen.insert(images[4 * i])
            }
        }
        return seen
    }

    @Test func drawsFromAllItHolds() throws {
        let bank = try ReplayBank(capacity: 10, batchSize: 4, image: image, classes: 3)
        let first = try numbered(from: 0, count: 4)
        bank.add(first.images, Targets(logits: first.logits), compute)
        #expect(bank.count == 4)
        #expect(try drawn(bank) == [0, 1, 2, 3])
    }

    @Test func labelsStayWithTheirImages() throws {
        let bank = try ReplayBank(capacity: 10, batchSize: 4, image: image, classes: 3, keepsLabels: true)
        for start in stride(from: 0, to: 16, by: 4) {
            let batch = try numbered(from: start, count: 4)
            bank.add(batch.images, try Targets(logits: batch.logits, labels: Indices(Array(start..<start + 4))), compute)
        }
        #expect(try drawn(bank, labelled: true) == [8, 9, 10, 11, 12, 13, 14, 15])
    }

    @Test func theOldestLeave() throws {
        let bank = try ReplayBank(capacity: 10, batchSize: 4, image: image, classes: 3)
        for start in stride(from: 0, to: 16, by: 4) {
            let batch = try numbered(from: start, count: 4)
            bank.add(batch.images, Targets(logits: batch.logits), compute)
        }
        // Two batches of four fit into ten, so the third and fourth took the places of the first and second.
        #expect(try drawn(bank) == [8, 9, 10, 11, 12, 13, 14, 15])
    }
}

extension Indices {
    convenience init(_ numbers: [Int]) throws {
        try self.init(count: numbers.count)
        for (i, number) in numbers.enumerated() { self[i] = number }
    }

    var array: [Int] { (0..<count).map { self[$0] } }
}
