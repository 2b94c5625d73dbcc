import Numerics

/// Rows of numbers in float64 that are multiplied and rotated with vector instructions.
final class DoubleRows {
    let count: Int
    let length: Int
    /// A row's, with zeros at its end.
    private let vectors: Int
    private let memory: Doubles

    private typealias Vector = SIMD8<Double>

    /// All zeros.
    init(count: Int, length: Int) throws {
        (self.count, self.length) = (count, length)
        vectors = (length + Vector.scalarCount - 1) / Vector.scalarCount
        memory = try Doubles(count: count * vectors * Vector.scalarCount)
    }

    subscript(row: Int, place: Int) -> Double {
        get { memory.pointer[row * vectors * Vector.scalarCount + place] }
        set { memory.pointer[row * vectors * Vector.scalarCount + place] = newValue }
    }

    private func start(_ row: Int) -> UnsafeMutablePointer<Vector> {
        UnsafeMutableRawPointer(memory.pointer + row * vectors * Vector.scalarCount).assumingMemoryBound(to: Vector.self)
    }

    func dot(_ i: Int, _ j: Int) -> Double { dot(i, j, of: self) }

    /// Of a row and one of other rows that are as long.
    func dot(_ i: Int, _ j: Int, of others: DoubleRows) -> Double {
        let (a, b) = (start(i), others.start(j))
        var sum = Vector.zero
        for k in 0..<vectors { sum += a[k] * b[k] }
        return sum.sum()
    }

    /// Adds a row to another.
    func add(_ i: Int, to j: Int) {
        let (a, b) = (start(i), start(j))
        for k in 0..<vectors { b[k] += a[k] }
    }

    /// Turns two rows in their plane so that they are at right angles;
    /// returns the cosine, from 0 to 1, of the angle that they had.
    func rotate(_ i: Int, _ j: Int) -> Double {
        let (a, b) = (start(min(i, j)), start(max(i, j)))
        var (aa, ab, bb) = (Vector.zero, Vector.zero, Vector.zero)
        for k in 0..<vectors {
            aa += a[k] * a[k]
            ab += a[k] * b[k]
            bb += b[k] * b[k]
        }
        let (alpha, beta, gamma) = (aa.sum(), bb.sum(), ab.sum())
        // What is 0 to the last digit of a float32 weight is at right angles to everything.
        guard alpha * beta > 0, abs(gamma) > 1e-15 * max(alpha, beta) else { return 0 }
        let zeta = (beta - alpha) / (2 * gamma)
        let tangent = (zeta < 0 ? -1 : 1) / (abs(zeta) + (1 + zeta * zeta).squareRoot())
        let cosine = 1 / (1 + tangent * tangent).squareRoot(), sine = cosine * tangent
        for k in 0..<vectors {
            let old = a[k]
            a[k] = cosine * old - sine * b[k]
            b[k] = sine * old + cosine * b[k]
        }
        return abs(gamma) / (alpha * beta).squareRoot()
    }
}
