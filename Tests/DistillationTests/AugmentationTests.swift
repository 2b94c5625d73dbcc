import Numerics
import Testing

@testable import Distillation

/// Augmentation moves pixels and invents none.
struct AugmentationTests {
    private let compute: Compute

    init() throws {
        compute = try Compute(threads: 2)
    }

    private func augmented(_ images: Batch, strength: Double, seed: UInt64 = 1) throws -> Batch {
        let result = try Batch(samples: images.samples, shape: images.shape)
        result.load(images)
        var random = Philox(seed: seed, stream: .replay)
        let augmentation = try Augmentation(strength: strength, samples: images.samples, image: images.shape)
        try #require(augmentation).apply(&random, result, compute)
        return result
    }

    private func noise(_ shape: [Int], samples: Int = 20) throws -> Batch {
        let images = try Batch(samples: samples, shape: Shape(shape))
        var random = Philox(seed: 5, stream: .noise)
        random.fillNormal(images)
        return images
    }

    @Test func aPlainImageStaysPlain() throws {
        let images = try Batch(samples: 20, shape: Shape([3, 8, 8]))
        for i in 0..<20 { for e in 0..<192 { images[i, e] = Float(i + e / 64) } }
        let result = try augmented(images, strength: 1)
        for i in 0..<20 { for e in 0..<192 { #expect(abs(result[i, e] - images[i, e]) < 1e-4) } }
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

    @Test func aVectorOfSquareLengthIsAnImage() throws {
        let (flat, square) = (try noise([64]), try noise([1, 8, 8]))
        let (fromFlat, fromSquare) = (try augmented(flat, strength: 1), try augmented(square, strength: 1))
        for i in 0..<20 { for e in 0..<64 { #expect(fromFlat[i, e] == fromSquare[i, e]) } }
    }

    @Test func nothingIsDoneWhereThereIsNothingToDo() throws {
        #expect(try Augmentation(strength: 0, samples: 4, image: Shape([1, 8, 8])) == nil)
        #expect(try Augmentation(strength: 1, samples: 4, image: Shape([65])) == nil)
        #expect(try Augmentation(strength: 1, samples: 4, image: Shape([1, 8, 4])) == nil)
    }
}
