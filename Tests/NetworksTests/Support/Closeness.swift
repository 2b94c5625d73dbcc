import Numerics
import Testing

/// Expects numbers to differ from the expected ones by at most `tolerance` times the largest of these.
func expectClose(
    _ actual: [Double], _ expected: [Double], within tolerance: Double = 1e-5, _ what: String = "",
    sourceLocation: SourceLocation = #_sourceLocation
) {
    guard actual.count == expected.count else {
        Issue.record("\(what) has \(actual.count) numbers, not \(expected.count)", sourceLocation: sourceLocation)
        return
    }
    let allowed = tolerance * (expected.map { abs($0) }.max() ?? 0)
    // Written so that a NaN is an error.
    if let i = expected.indices.first(where: { !(abs(actual[$0] - expected[$0]) <= allowed) }) {
        Issue.record(
            "\(what) [\(i)] is \(actual[i]), expected \(expected[i]) within \(allowed)", sourceLocation: sourceLocation)
    }
}

func expectClose(
    _ actual: Batch, _ expected: Rows, within tolerance: Double = 1e-5, _ what: String = "",
    sourceLocation: SourceLocation = #_sourceLocation
) {
    expectClose(Rows(actual).values, expected.values, within: tolerance, what, sourceLocation: sourceLocation)
}

func expectClose(
    _ actual: Tensor, _ expected: [Double], within tolerance: Double = 1e-5, _ what: String = "",
    sourceLocation: SourceLocation = #_sourceLocation
) {
    expectClose(actual.doubles, expected, within: tolerance, what, sourceLocation: sourceLocation)
}
