import Numerics

/// L of a symmetric positive matrix L L'.
struct CholeskyFactor {
    private let size: Int
    private let factor: Doubles

    /// - Parameter element: of the matrix, asked for j <= i.
    init(size: Int, _ element: (Int, Int) -> Double) throws {
        self.size = size
        factor = try Doubles(count: size * size)
        for i in 0..<size {
            let row = factor.pointer + i * size
            for j in 0...i {
                let other = factor.pointer + j * size
                var sum = element(i, j)
                for k in 0..<j { sum -= row[k] * other[k] }
                row[j] = i == j ? max(sum, 1e-18).squareRoot() : sum / other[j]
            }
        }
    }

    /// Turns a right side into the solution.
    func solve(_ x: UnsafeMutablePointer<Double>) {
        for i in 0..<size {
            var sum = x[i]
            for k in 0..<i { sum -= factor[i * size + k] * x[k] }
            x[i] = sum / factor[i * size + i]
        }
        for i in (0..<size).reversed() {
            var sum = x[i]
            for k in i + 1..<size { sum -= factor[k * size + i] * x[k] }
            x[i] = sum / factor[i * size + i]
        }
    }
}

extension ChannelMoments {
    /// The matrix [others, kept + 1] that gives back other channels from those kept and the one that is always 1, with the
    /// least squared error.
    func reconstruction(of others: [Int], from kept: [Int]) throws -> Doubles {
        let known = kept + [channels], size = known.count
        // A little more of its own variance on the diagonal, which is small beside the square of the mean in many a layer.
        func ridge(_ i: Int) -> Double {
            i == channels ? 0 : 1e-6 * (self[i, i] - self[i, channels] * self[i, channels]) + 1e-10 * self[i, i] + 1e-12
        }
        let factor = try CholeskyFactor(size: size) { self[known[$0], known[$1]] + ($0 == $1 ? ridge(known[$0]) : 0) }
        let result = try Doubles(count: size * others.count)
        for (row, other) in others.enumerated() {
            for i in 0..<size { result[row * size + i] = self[known[i], other] }
            factor.solve(result.pointer + row * size)
        }
        return result
    }
}
