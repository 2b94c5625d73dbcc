import Numerics

/// Rows of Doubles in lane order.
func batch(_ rows: [[Double]]) throws -> Batch {
    let batch = try Batch(samples: rows.count, shape: Shape([rows[0].count]))
    for (i, row) in rows.enumerated() {
        for (k, value) in row.enumerated() { batch[i, k] = Float(value) }
    }
    return batch
}

extension Batch {
    var rows: [[Double]] { (0..<samples).map { i in (0..<elements).map { Double(self[i, $0]) } } }

    /// Whether the lanes past the last sample hold zeros, as gradients must.
    var hasZeroUnusedLanes: Bool {
        (samples..<blocks * Batch.lanes).allSatisfy { i in (0..<elements).allSatisfy { self[i, $0] == 0 } }
    }
}

/// Random logits that float32 represents.
func randomRows(_ samples: Int, _ classes: Int, _ random: inout Philox, scale: Float = 1) -> [[Double]] {
    (0..<samples).map { _ in (0..<classes).map { _ in Double(scale * random.nextNormal()) } }
}

/// The largest difference, relative to the largest expected number; infinite when there is a NaN.
func distance(_ actual: [Double], _ expected: [Double]) -> Double {
    let scale = expected.map { abs($0) }.max() ?? 1
    let differences = zip(actual, expected).map { abs($0 - $1) / (scale == 0 ? 1 : scale) }
    return differences.contains { $0.isNaN } ? .infinity : differences.max() ?? 0
}

/// The central difference of `loss` by each number of `rows`.
func slopes(of loss: ([[Double]]) -> Double, at rows: [[Double]]) -> [[Double]] {
    let h = 1e-5
    return rows.indices.map { i in
        rows[i].indices.map { k in
            var (above, below) = (rows, rows)
            above[i][k] += h
            below[i][k] -= h
            return (loss(above) - loss(below)) / (2 * h)
        }
    }
}
