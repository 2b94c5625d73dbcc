import Numerics
import Testing

@Suite struct MatrixProductTests {
    @Test(arguments: [(1, 1, 1), (3, 5, 7), (16, 33, 17), (1, 64, 9), (40, 2, 31)])
    func productIsTheTripleLoop(rows: Int, inner: Int, columns: Int) throws {
        var random = Philox(seed: 1, stream: .check)
        let a = (0..<rows * inner).map { _ in random.nextNormal() }
        let b = (0..<inner * columns).map { _ in random.nextNormal() }
        var expected = [Float](repeating: 0, count: rows * columns)
        for i in 0..<rows {
            for j in 0..<columns {
                var sum = 0.0
                for k in 0..<inner { sum += Double(a[i * inner + k]) * Double(b[k * columns + j]) }
                expected[i * columns + j] = Float(sum)
            }
        }
        for aTransposed in [false, true] {
            for bTransposed in [false, true] {
                var c = [Float](repeating: .nan, count: rows * columns)  // to be overwritten
                matrixProduct(
                    aTransposed ? transposed(a, rows, inner) : a, aTransposed: aTransposed,
                    bTransposed ? transposed(b, inner, columns) : b, bTransposed: bTransposed,
                    into: &c, rows: rows, inner: inner, columns: columns)
                let worst = zip(c, expected).reduce(Float(0)) { $1.0.isNaN ? .infinity : max($0, abs($1.0 - $1.1)) }
                #expect(worst < 1e-5 * Float(inner).squareRoot() + 1e-6)
            }
        }
    }

    private func transposed(_ matrix: [Float], _ rows: Int, _ columns: Int) -> [Float] {
        (0..<rows * columns).map { matrix[$0 % rows * columns + $0 / rows] }
    }
}
