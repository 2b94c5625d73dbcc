import Numerics

/// A = sum over i of s_i u_i v_i', the singular value decomposition of a matrix: the s_i from the largest down, u_i and v_i of
/// length 1. The first r terms are the matrix of rank r nearest to A (Eckart and Young 1936).
///
/// By Hestenes' one-sided Jacobi method: pairs of A's rows, or of its columns where these are fewer, are rotated until all are
/// at right angles to each other. Their lengths are the singular values then. Pairs that have no row in common are rotated at
/// the same time, in the turns of a round-robin tournament, so that the result does not depend on the number of threads.
final class SingularValues {
    let rows: Int
    let columns: Int
    /// The s_i, min(rows, columns) of them.
    let values: [Double]
    private let isTransposed: Bool
    /// A, or its transpose where A has more rows than columns.
    private let original: DoubleRows
    /// The same after the rotations: s_i times the singular vector on its long side.
    private let rotated: DoubleRows
    /// Which row of `rotated` has the i-th largest value.
    private let order: [Int]

    private static let mostSweeps = 40
    /// Of two rows, the cosine that counts as a right angle: weights are float32.
    private static let smallestCosine = 1e-9
    /// Of the largest singular value: weights are float32.
    private static let smallestShare = 1e-7

    /// - Parameters:
    ///   - element: A's in a row and a column.
    ///   - onSweep: called after each round of rotations, of which ten or so are needed.
    init(
        rows: Int, columns: Int, _ compute: Compute, onSweep: () throws -> Void = {}, _ element: (Int, Int) -> Double
    ) throws {
        (self.rows, self.columns) = (rows, columns)
        isTransposed = rows > columns
        let (few, many) = (min(rows, columns), max(rows, columns))
        original = try DoubleRows(count: few, length: many)
        rotated = try DoubleRows(count: few, length: many)
        for i in 0..<few {
            for j in 0..<many {
                let value = isTransposed ? element(j, i) : element(i, j)
                original[i, j] = value
                rotated[i, j] = value
            }
        }
        let cosines = try Doubles(count: (few + 1) / 2)
        for _ in 0..<Self.mostSweeps {
            let worst = Self.sweep(rotated, cosines, compute)
            try onSweep()
            if worst < Self.smallestCosine { break }
        }
        let lengths = (0..<few).map { [rotated] in rotated.dot($0, $0).squareRoot() }
        order = (0..<few).sorted { lengths[$0] > lengths[$1] || (lengths[$0] == lengths[$1] && $0 < $1) }
        // Below that they are rounding, and have no direction.
        let smallest = Self.smallestShare * (lengths.max() ?? 0)
        values = order.map { lengths[$0] < smallest ? 0 : lengths[$0] }
    }

    /// Rotates each pair once; returns the largest cosine there was between two of them.
    private static func sweep(_ matrix: DoubleRows, _ cosines: Doubles, _ compute: Compute) -> Double {
        let players = 2 * cosines.count
        var worst = 0.0
        // The last one stays, the others go around.
        for turn in 0..<players - 1 {
            compute.parallel(cosines.count) { pairs in
                for pair in pairs {
                    let first = pair == 0 ? players - 1 : (turn + pair) % (players - 1)
                    let second = (turn + players - 1 - pair) % (players - 1)
                    // An odd number of rows has a rest each turn.
                    cosines[pair] = max(first, second) < matrix.count ? matrix.rotate(first, second) : 0
                }
            }
            for pair in 0..<cosines.count { worst = max(worst, cosines[pair]) }
        }
        return worst
    }

    /// u_i and v_i for the i-th largest value; zeros where that is 0.
    func vectors(_ i: Int) -> (u: [Double], v: [Double]) {
        let (row, value) = (order[i], values[i])
        let few = original.count, many = original.length
        guard value > 0 else {
            return ([Double](repeating: 0, count: rows), [Double](repeating: 0, count: columns))
        }
        let long = (0..<many).map { rotated[row, $0] / value }
        let short = (0..<few).map { original.dot($0, row, of: rotated) / (value * value) }
        return isTransposed ? (long, short) : (short, long)
    }
}
