import Glibc
import Networks
import Numerics
import Testing

@Suite struct ElementwiseLayerTests {
    @Test(arguments: functions + chains) func forwardIsTheDefinitionAndBackwardItsSlope(_ subject: Subject) throws {
        try checkGradients(subject)
    }

    static let functions: [Subject] = [
        function(.elu) { $0 > 0 ? $0 : expm1($0) },
        function(.elu, ["alpha": 0.5]) { $0 > 0 ? $0 : 0.5 * expm1($0) },
        function(.selu) { 1.0507009873554805 * ($0 > 0 ? $0 : 1.6732632423543772 * expm1($0)) },
        function(.gelu) { 0.5 * $0 * erfc(-$0 / 2.0.squareRoot()) },
        function(.gelu, ["approximation": "tanh"]) {
            0.5 * $0 * (1 + tanh((2 / Double.pi).squareRoot() * ($0 + 0.044715 * $0 * $0 * $0)))
        },
        function(.silu) { $0 / (1 + exp(-$0)) },
        function(.hardSwish) { $0 * min(max($0 + 3, 0), 6) / 6 },
        function(.sigmoid) { 1 / (1 + exp(-$0)) },
        function(.hardSigmoid) { min(max($0 / 6 + 0.5, 0), 1) },
        function(.hardSigmoid, ["alpha": 0.5, "beta": 0.25]) { min(max($0 / 2 + 0.25, 0), 1) },
        function(.softplus) { log1p(exp($0)) },
        function(.softsign) { $0 / (1 + abs($0)) },
        function(.mish) { $0 * tanh(log1p(exp($0))) },
        function(.clip, ["low": -0.5, "high": 1]) { min(max($0, -0.5), 1) },
        function(.clip, ["high": 0.25]) { min($0, 0.25) },
        function(.clip) { $0 },
        function(.abs) { abs($0) },
        function(.exp) { exp($0) },
        function(.negate) { -$0 },
        function(.erf) { erf($0) },
        function(.power, ["exponent": 3]) { $0 * $0 * $0 },
        function(.dropout) { $0 },
        .sole(.prelu, [3, 2, 2]) { x, weights in prelu(x, weights["layer.weight"]!) },
        .sole(.prelu, [3, 2, 2], ["count": 1, "initial": -0.5]) { x, weights in prelu(x, weights["layer.weight"]!) },
        .sole(.prelu, [5], samples: 33) { x, weights in prelu(x, weights["layer.weight"]!) },
    ]

    private static func function(
        _ kind: LayerKind, _ attributes: [String: Attribute] = [:], _ function: @escaping @Sendable (Double) -> Double
    ) -> Subject {
        // Enough numbers to be shared among threads.
        .sole(kind, kind == .gelu ? [7, 20, 9] : [5, 2, 1], attributes) { x, _ in x.map(function) }
    }

    private static func prelu(_ x: Rows, _ weight: [Double]) -> Rows {
        var y = x
        let pixels = x.elements / weight.count
        for i in x.values.indices where x.values[i] <= 0 { y.values[i] *= weight[i / pixels % weight.count] }
        return y
    }

    /// Functions that are infinite at 0, which is what the lanes hold that no sample fills, between two layers whose
    /// weights' gradients sum over all lanes.
    static let chains: [Subject] = [
        chain(.log) { log($0) }, chain(.sqrt) { $0.squareRoot() }, chain(.reciprocal) { 1 / $0 },
        chain(.power, ["exponent": -0.5]) { 1 / $0.squareRoot() }, chain(.power, ["exponent": -1]) { 1 / $0 },
    ]

    private static func chain(
        _ kind: LayerKind, _ attributes: [String: Attribute] = [:], _ function: @escaping @Sendable (Double) -> Double
    ) -> Subject {
        Subject(
            testDescription: "\(kind.rawValue) \(attributes.values.map(\.description)) between layers", input: [6],
            // Where x^2 is near 0 the slopes are large.
            tolerance: 1e-3,
            nodes: {
                $0.add(.linear, "fc1", ["outputs": 4, "bias": false])
                $0.add(.multiply, inputs: ["fc1", "fc1"])
                $0.add(kind, attributes)
                $0.add(.linear, "fc2", ["outputs": 3, "bias": false])
            },
            reference: { x, weights in
                let first = Reference.linear(x, weights["fc1.weight"]!, [0, 0, 0, 0])
                return [Reference.linear(first.map { function($0 * $0) }, weights["fc2.weight"]!, [0, 0, 0])]
            })
    }

    /// PyTorch 2.13.
    @Test(arguments: [
        (.elu, [-0.981684, -0.917915, -0.632121, -0.259182, 0.0, 0.7, 2.0, 5.0]),
        (.selu, [-1.725899, -1.613786, -1.111331, -0.455667, 0.0, 0.735491, 2.101402, 5.253505]),
        (.gelu, [-0.000127, -0.015524, -0.158655, -0.114627, 0.0, 0.530625, 1.9545, 4.999999]),
        (.hardSwish, [0, -0.208333, -0.333333, -0.135, 0.0, 0.431667, 1.666667, 5.0]),
        (.hardSigmoid, [0.0, 0.083333, 0.333333, 0.45, 0.5, 0.616667, 0.833333, 1.0]),
        (.softplus, [0.01815, 0.07889, 0.313262, 0.554355, 0.693147, 1.103186, 2.126928, 5.006715]),
        (.softsign, [-0.8, -0.714286, -0.5, -0.230769, 0.0, 0.411765, 0.666667, 0.833333]),
        (.mish, [-0.072592, -0.196816, -0.303401, -0.151133, 0.0, 0.561148, 1.943959, 4.999552]),
    ] as [(LayerKind, [Double])])
    func defaultsArePyTorchs(kind: LayerKind, expected: [Double]) throws {
        let numbers = [-4, -2.5, -1, -0.3, 0, 0.7, 2, 5].map { Double(Float($0)) }
        let actual = try output(kind, [8], of: numbers)
        #expect(zip(actual, expected).allSatisfy { abs($0 - $1) < 1e-6 }, "\(actual)")
    }

    /// The output, PyTorch 2.13's; the gradient goes straight through it.
    @Test func fakeQuantizationRoundsAndLetsGradientsThrough() throws {
        let network = try Network([8]) {
            $0.add(.fakeQuantize, ["scale": 0.3, "zero": 5, "low": 0, "high": 15])
        }
        let x = try Rows(samples: 1, [8], [-4, -2.5, -1, -0.3, 0, 0.7, 2, 5]).batch()
        let pass = try Pass(network, input: x, gradients: .input, Compute(threads: 1))
        pass.outputGradient?.load(try Rows(samples: 1, [8], [1, 2, 3, 4, 5, 6, 7, 8]).batch())
        pass.forward()
        pass.backward()
        expectClose(Rows(pass.output).values, [-1.5, -1.5, -0.9, -0.3, 0, 0.6, 2.1, 3], within: 1e-6)
        #expect(Rows(try #require(pass.inputGradient)).values == [0, 0, 3, 4, 5, 6, 7, 0])
    }

    @Test(arguments: [
        (.clip, ["low": 2, "high": 1]), (.clip, ["high": "much"]), (.elu, ["alpha": "a"]), (.elu, ["slope": 1]),
        (.gelu, ["approximation": "sigmoid"]), (.power, [:]), (.fakeQuantize, ["scale": 0, "low": 0, "high": 1]),
        (.fakeQuantize, ["scale": 1, "low": 1, "high": 1]), (.prelu, ["count": 2]), (.dropout, ["rate": 2]),
        (.dropout, ["rate": 1]), (.dropout, ["rate": 0.9999999999]),
    ] as [(LayerKind, [String: Attribute])])
    func whatIsNotAllowedIsRefused(kind: LayerKind, attributes: [String: Attribute]) {
        #expect(throws: DaflError.self) { try Network([3, 2, 2]) { $0.add(kind, attributes) } }
    }
}
