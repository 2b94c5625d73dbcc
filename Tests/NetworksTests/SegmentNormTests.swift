import Glibc
import Networks
import Numerics
import Testing

@Suite struct SegmentNormTests {
    @Test(arguments: normalisations + others) func forwardIsTheDefinitionAndBackwardItsSlope(_ subject: Subject) throws {
        try checkGradients(subject)
    }

    // The name lets the check draw weights and biases.
    static let normalisations: [Subject] = [
        normalisation(.layerNorm, [3, 4], [:], length: 4) { $0 % 4 },
        normalisation(.layerNorm, [3, 2, 2], ["dimensions": 3, "epsilon": 0.1], length: 12) { $0 },
        normalisation(.layerNorm, [7], ["affine": false], length: 7) { _ in nil },
        normalisation(.groupNorm, [6, 2, 3], ["groups": 2], length: 18) { $0 / 6 },
        normalisation(.groupNorm, [6], ["groups": 3, "affine": false], length: 2) { _ in nil },
        normalisation(.instanceNorm, [3, 3, 2], [:], length: 6) { _ in nil },
        normalisation(.instanceNorm, [3, 3, 2], ["affine": true, "epsilon": 0.1], length: 6) { $0 / 6 },
    ]

    /// - Parameter channel: of the weight at an element of a sample; nil without weights.
    private static func normalisation(
        _ kind: LayerKind, _ input: [Int], _ attributes: [String: Attribute], length: Int,
        _ channel: @escaping @Sendable (Int) -> Int?
    ) -> Subject {
        var subject = Subject.sole(kind, input, attributes, name: "bn") { x, weights in
            let epsilon = if case .number(let number)? = attributes["epsilon"] { number } else { 1e-5 }
            var y = x
            for start in stride(from: 0, to: x.values.count, by: length) {
                let segment = x.values[start..<start + length]
                let mean = segment.reduce(0, +) / Double(length)
                let variance = segment.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(length)
                for i in segment.indices {
                    let xhat = (x.values[i] - mean) / (variance + epsilon).squareRoot()
                    y.values[i] =
                        channel(i % x.elements).map { weights["bn.weight"]![$0] * xhat + weights["bn.bias"]![$0] } ?? xhat
                }
            }
            return y
        }
        // Two numbers that happen to be close have large slopes.
        if length == 2 { subject.tolerance = 1e-3 }
        return subject
    }

    static let others: [Subject] = [
        .sole(.lrn, [7, 2, 3], ["size": 3, "alpha": 0.5, "bias": 1.5]) { x, _ in responses(x, 1, 1, 0.5, 0.75, 1.5) },
        .sole(.lrn, [5], ["size": 4, "alpha": 2, "beta": 0.5]) { x, _ in responses(x, 1, 2, 2, 0.5, 1) },
        .sole(.softmax, [4, 2, 3]) { x, _ in softmax(x, axis: 0) },
        .sole(.softmax, [4, 2, 3], ["axis": 1]) { x, _ in softmax(x, axis: 1) },
        .sole(.softmax, [4, 2, 3], ["axis": 2], samples: 33) { x, _ in softmax(x, axis: 2) },
    ]

    private static func responses(
        _ x: Rows, _ before: Int, _ after: Int, _ alpha: Double, _ beta: Double, _ bias: Double
    ) -> Rows {
        var y = x
        Reference.eachPixel(x) { n, c, i, j in
            let squares = (max(c - before, 0)...min(c + after, x.channels - 1)).reduce(0) {
                $0 + x[n, $1, i, j] * x[n, $1, i, j]
            }
            y[n, c, i, j] /= pow(bias + alpha / Double(before + 1 + after) * squares, beta)
        }
        return y
    }

    private static func softmax(_ x: Rows, axis: Int) -> Rows {
        var y = x
        Reference.eachPixel(x) { n, c, i, j in
            let total = (0..<x.dimensions[axis]).reduce(0) { sum, k in
                let place = [c, i, j].enumerated().map { $0 == axis ? k : $1 }
                return sum + exp(x[n, place[0], place[1], place[2]])
            }
            y[n, c, i, j] = exp(x[n, c, i, j]) / total
        }
        return y
    }

    /// PyTorch 2.13.
    @Test func numbersArePyTorchs() throws {
        let weights = ["weight": [1, 2, -1, 0.5], "bias": [0, 1, 2, 3.0]]
        func expect(_ actual: [Double], _ expected: [Double]) { expectClose(actual, expected, within: 1e-6) }
        expect(
            try output(
                .groupNorm, [4, 1, 2], ["groups": 2, "epsilon": 1e-3], of: [1, 2, 4, -1, 0.5, 3, 2, 2], weights: weights),
            [-0.277307, 0.277307, 3.773075, -1.773075, 3.539342, 0.740538, 3.06997, 3.06997])
        expect(
            try output(.layerNorm, [4], ["epsilon": 1e-3], of: [1, 2, 4, -1], weights: weights),
            [-0.277307, 1.554615, 0.613463, 2.306731])
        expect(
            try output(.instanceNorm, [2, 1, 3], ["epsilon": 1e-3], of: [1, 2, 4, -1, 0.5, 3]),
            [-1.068701, -0.267175, 1.335877, -1.110964, -0.201993, 1.312957])
        expect(
            try output(.lrn, [5, 1, 1], ["size": 3, "alpha": 0.5, "bias": 1.5], of: [0.5, -1, 2, 3, -0.25]),
            [0.334611, -0.5227, 0.730042, 1.129779, -0.109388])
    }

    @Test(arguments: [
        (.groupNorm, [:]), (.groupNorm, ["groups": 4]), (.layerNorm, ["dimensions": 4]), (.layerNorm, ["epsilon": 0]),
        (.lrn, [:]), (.lrn, ["size": 0]), (.lrn, ["size": 3, "bias": 0]), (.softmax, ["axis": 3]),
    ] as [(LayerKind, [String: Attribute])])
    func whatIsNotAllowedIsRefused(kind: LayerKind, attributes: [String: Attribute]) {
        #expect(throws: DaflError.self) { try Network([6, 2, 2]) { $0.add(kind, attributes) } }
    }
}
