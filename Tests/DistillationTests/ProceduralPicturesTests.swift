import Networks
import Numerics
import Testing

@testable import Distillation

struct ProceduralPicturesTests {
    private typealias Image = (channels: Int, height: Int, width: Int)

    private static func draw(
        _ image: Image, seed: UInt64 = 3, first: Int = 0, count: Int = 40, range: ClosedRange<Float>? = nil, threads: Int = 1
    ) throws -> [Float] {
        let pictures = try ProceduralPictures(image, standardised: range, Compute(threads: threads))
        let rows = try Tensor([count, image.channels * image.height * image.width])
        pictures.draw(seed: seed, first: first, count: count, rows: rows.pointer)
        return rows.numbers
    }

    @Test func aPictureDependsOnItsSeedAndNumberAlone() throws {
        for image: Image in [(1, 12, 12), (3, 9, 11)] {
            let elements = image.channels * image.height * image.width
            let pictures = try Self.draw(image)
            #expect(try Self.draw(image, threads: 3) == pictures)
            #expect(try Self.draw(image, seed: 4) != pictures)
            #expect(try Self.draw(image, first: 13, count: 5) == Array(pictures[13 * elements..<18 * elements]))
            let all = Set((0..<40).map { Array(pictures[$0 * elements..<($0 + 1) * elements]) })
            #expect(all.count > 35)  // some may be empty
        }
    }

    @Test(arguments: [[1, 28, 28], [3, 32, 32], [2, 5, 7], [1, 4, 4], [3, 49, 10], [1, 4, 90], [5, 70, 33]])
    func picturesOfAnyShapeAreStandardised(shape: [Int]) throws {
        let numbers = try Self.draw((shape[0], shape[1], shape[2]), count: 200)
        #expect(numbers.allSatisfy { $0.isFinite && abs($0) < 50 })
        let mean = numbers.reduce(0, +) / Float(numbers.count)
        let deviation = (numbers.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Float(numbers.count)).squareRoot()
        #expect(abs(mean) < 0.35 && (0.6...1.4).contains(deviation), "\(mean), \(deviation)")
    }

    @Test(arguments: [1, 3]) func aRangeIsFilledFromEndToEnd(channels: Int) throws {
        let numbers = try Self.draw((channels, 16, 16), range: -1.5...2.5)
        #expect(numbers.allSatisfy { (-1.50001...2.50001).contains($0) })
        #expect(try #require(numbers.min()) < -1.49 && #require(numbers.max()) > 2.4)
    }
}
