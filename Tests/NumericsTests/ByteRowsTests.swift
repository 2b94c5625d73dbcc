import Numerics
import Testing

@Suite struct ByteRowsTests {
    @Test func whatIsReadIsWhatWasWritten() throws {
        let compute = try Compute(threads: 2)
        let bytes = try ByteRows(count: 5, elements: 3)
        let (written, read) = (try Tensor([2, 3]), try Tensor([4, 3]))
        for i in 0..<6 { written[i] = [-2, 0.55, 3.1, 7, 7, 7][i] }  // steps of 0.02
        bytes.store(written, at: 3, compute)
        bytes.load([4, 3, 0, 3], to: read, compute)
        let expected: [Float] = [7, 7, 7, -2, 0.55, 3.1, 0, 0, 0, -2, 0.55, 3.1]
        for i in 0..<12 { #expect(abs(read[i] - expected[i]) <= 0.0101) }
    }

    @Test func tooManyAreRefused() {
        #expect(throws: DaflError.self) { try ByteRows(count: .max, elements: 2) }
        #expect(throws: DaflError.self) { try ByteRows(count: 1 << 40, elements: 1 << 10) }
    }
}
