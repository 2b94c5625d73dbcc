import Numerics
import Testing

@testable import Distillation

/// Augmentation moves pixels and invents none, but for negatives.
struct AugmentationTests {
    private let compute: Compute

    init() throws {
        compute = try Compute(threads: 2)
    }

    private func augmented(
        _ images: Batch, as image: (Int, Int, Int)? = nil, strength: Double, negatives: Bool = false, seed: UInt64 = 1
    ) throws -> Batch {
        let rows = try Tensor([images.samples, images.elements])
        images.store(rows: rows.pointer, compute)
        var random = Philox(seed: seed, stream: .replay)
        let augmentation = try Augmentation(
            strength: strength, negatives: negatives, samples: images.samples, image: image ?? images.shape.channelsHeightWidth)
        try #require(augmentation).apply(&random, rows, compute)
        let result = try Batch(samples: images.samples, shape: images.shape)
        result.load(rows: rows.pointer, compute)
        return result
    }

    private func noise(_ shape: [Int], samples: Int = 20) throws -> Batch {
        let images = try Batch(samples: samples, shape: Shape(shape))
        var random = Philox(seed: 5, stream: .noise)
        random.fillNormal(images)
        return images
    }

    @Test(arguments: [(8, 8), (4, 100), (9, 5)]) func aPlainImageStaysPlain(height: Int, width: Int) throws {
        let images = try Batch(samples: 20, shape: Shape([3, height, width]))
        let area = height * width
        for i in 0..<20 { for e in 0..<3 * area { images[i, e] = Float(i + e / area) } }
        let result = try augmented(images, strength: 1)
        for i in 0..<20 { for e in 0..<3 * area { #expect(abs(result[i, e] - images[i, e]) < 1e-4) } }
    }

    /// Where a pixel is seen that holds its own coordinate: nowhere further than a square's would be, in parts of the side.
    @Test(arguments: [(16, 16), (16, 64), (64, 16)]) func aLongImageMovesAsASquareDoes(height: Int, width: Int) throws {
        let images = try Batch(samples: 100, shape: Shape([2, height, width]))
        let area = height * width
        for i in 0..<100 {
            for e in 0..<area { (images[i, e], images[i, area + e]) = (Float(e / width), Float(e % width)) }
        }
        let result = try augmented(images, strength: 1)
        func largestMove(_ channel: Int) -> Float {
            (0..<100).flatMap { i in
                (0..<area).map { abs(result[i, channel * area + $0] - images[i, channel * area + $0]) }
            }.max() ?? 0
        }
        // At a corner: half a side times what turning, scaling and shearing add up to, and a sixteenth of shift.
        for (channel, side) in [(0, height), (1, width)] {
            #expect((0.1...0.4).contains(largestMove(channel) / Float(side)))
        }
    }

    @Test func aLittleStrengthChangesLittle() throws {
        let images = try noise([1, 12, 12])
        let result = try augmented(images, strength: 1e-4)
        for i in 0..<20 { for e in 0..<144 { #expect(abs(result[i, e] - images[i, e]) < 2e-2) } }
    }

    @Test func eachImageMovesInItsOwnWay() throws {
        let images = try Batch(samples: 20, shape: Shape([1, 12, 12]))
        for i in 0..<20 { images[i, 12 * 6 + 6] = 1 }
        let result = try augmented(images, strength: 1)
        let places = Set((0..<20).map { result.argmax($0) })
        #expect(places.count > 3)
        #expect((0..<20).allSatisfy { i in (0..<144).allSatisfy { (0...1).contains(result[i, $0]) } })
    }

    @Test func someImagesBecomeTheirNegatives() throws {
        let images = try noise([2, 8, 8], samples: 400)
        let result = try augmented(images, strength: 1e-6, negatives: true)
        #expect((0..<400).allSatisfy { abs(result[$0, 5] - images[$0, 5]) < 1e-3 })  // at no strength none

        let plain = try Batch(samples: 400, shape: Shape([2, 8, 8]))
        plain.fill(1)
        let answer = try augmented(plain, strength: 1, negatives: true)
        let negatives = (0..<400).count { answer[$0, 5] < 0 }
        #expect((90...150).contains(negatives))
        #expect((0..<400).allSatisfy { i in (0..<128).allSatisfy { abs(answer[i, $0] - (answer[i, 5] < 0 ? -1 : 1)) < 1e-4 } })
    }

    @Test func aVectorCanBeSeenAsAnImage() throws {
        let (flat, square) = (try noise([64]), try noise([1, 8, 8]))
        let (fromFlat, fromSquare) = (try augmented(flat, as: (1, 8, 8), strength: 1), try augmented(square, strength: 1))
        for i in 0..<20 { for e in 0..<64 { #expect(fromFlat[i, e] == fromSquare[i, e]) } }
    }

    @Test func nothingIsDoneWhereThereIsNothingToDo() throws {
        #expect(try Augmentation(strength: 0, negatives: true, samples: 4, image: (1, 8, 8)) == nil)
        #expect(try Augmentation(strength: 1, negatives: true, samples: 4, image: nil) == nil)
        #expect(try Augmentation(strength: 1, negatives: true, samples: 4, image: (1, 8, 3)) == nil)
    }
}
