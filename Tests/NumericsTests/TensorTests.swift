import Numerics
import Testing

@Suite struct TensorTests {
    @Test(arguments: [[1], [17], [3, 5, 7]]) func newTensorIsZeroAndAligned(dimensions: [Int]) throws {
        let tensor = try Tensor(dimensions)
        #expect(tensor.count == dimensions.reduce(1, *))
        #expect((0..<tensor.count).allSatisfy { tensor[$0] == 0 })
        #expect(UInt(bitPattern: tensor.pointer) % 64 == 0)
    }

    @Test func loadCopies() throws {
        let (first, second) = (try Tensor([5]), try Tensor([5]))
        first.load([1, 2, 3, 4, 5])
        second.load(first)
        first.fill(9)
        #expect((0..<5).map { second[$0] } == [1, 2, 3, 4, 5])
        #expect((0..<5).allSatisfy { first[$0] == 9 })
    }

    @Test(arguments: [Float.nan, .infinity, -.infinity]) func oneNumberThatIsNotFiniteIsSeen(number: Float) throws {
        let tensor = try Tensor([33])
        for i in 0..<tensor.count {
            tensor.fill(.greatestFiniteMagnitude)
            #expect(tensor.isFinite)
            tensor[i] = number
            #expect(!tensor.isFinite)
        }
    }

    /// The first is more than a machine has, the others more bytes than can be counted.
    @Test(arguments: [1 << 50, 1 << 61, 1 << 62, .max]) func hugeTensorsAreOutOfMemory(count: Int) {
        let error = #expect(throws: DaflError.self) { try Tensor([count]) }
        #expect(error?.status == .outOfMemory)
    }
}
