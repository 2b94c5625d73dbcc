import Numerics
import Testing

@Suite struct ShapeTests {
    @Test(arguments: [([], 1), ([7], 7), ([3, 5], 15), ([2, 3, 4, 5], 120)])
    func countIsTheProductOfTheDimensions(dimensions: [Int], count: Int) throws {
        let shape = try Shape(dimensions)
        #expect(shape.count == count)
        #expect(shape.rank == dimensions.count)
        #expect(dimensions.indices.map { shape[$0] } == dimensions)
        #expect(try shape == Shape(dimensions))
        #expect(shape.description == "\(dimensions)")
    }

    @Test func shapesOfEqualCountDiffer() throws {
        #expect(try Shape([2, 3]) != Shape([3, 2]))
        #expect(try Shape([6]) != Shape([6, 1]))
    }

    @Test(arguments: [[0], [-1], [3, 0, 2], [2, -5], [.min]]) func dimensionsBelowOneAreInvalid(dimensions: [Int]) {
        let error = #expect(throws: DaflError.self) { try Shape(dimensions) }
        #expect(error?.status == .invalidArgument)
        #expect(error?.description.contains("\(dimensions)") == true)
    }

    @Test(arguments: [[.max, 2], [1 << 32, 1 << 31], [1 << 21, 1 << 21, 1 << 21]])
    func productsPastAnIntAreOutOfMemory(dimensions: [Int]) {
        let error = #expect(throws: DaflError.self) { try Shape(dimensions) }
        #expect(error?.status == .outOfMemory)
    }

    @Test func largestProductIsAllowed() throws {
        #expect(try Shape([.max]).count == .max)
        #expect(try Shape([1 << 31, 1 << 31]).count == 1 << 62)
    }

    @Test func flatVectorIsChannelsOfOnePixel() throws {
        #expect(try Shape([]).channelsHeightWidth == (1, 1, 1))
        #expect(try Shape([5]).channelsHeightWidth == (5, 1, 1))
        #expect(try Shape([5, 7]).channelsHeightWidth == (5, 7, 1))
        #expect(try Shape([5, 7, 9]).channelsHeightWidth == (5, 7, 9))
    }
}
