import Numerics
import Testing

@Suite struct IndicesTests {
    @Test func theyAreZeroUntilSet() throws {
        let indices = try Indices(count: 1000)
        #expect((0..<1000).allSatisfy { indices[$0] == 0 })
        indices[999] = -5
        #expect(indices[999] == -5 && indices.pointer[999] == -5)
    }

    @Test(arguments: [.max, .max / 8, 1 << 50]) func tooManyAreOutOfMemory(count: Int) {
        let error = #expect(throws: DaflError.self) { try Indices(count: count) }
        #expect(error?.status == .outOfMemory)
    }
}
