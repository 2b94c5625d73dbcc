import Glibc
import Networks
import Numerics
import Testing

@Suite struct ArithmeticLayerTests {
    @Test(arguments: pairs + sums + constants + reductions)
    func forwardIsTheDefinitionAndBackwardItsSlope(_ subject: Subject) throws {
        try checkGradients(subject)
    }

    private static let operations: [(LayerKind, @Sendable (Double, Double) -> Double)] = [
        (.add, { $0 + $1 }), (.subtract, { $0 - $1 }), (.multiply, { $0 * $1 }), (.divide, { $0 / $1 }),
        (.maximum, { max($0, $1) }), (.minimum, { min($0, $1) }),
    ]

    /// An image and something made of it, of a shape that is broadcast, in both orders.
    static let pairs: [Subject] = operations.flatMap { kind, function in
        [([1, 2], false), ([0], true), ([], false), ([0, 1, 2], true)].map { axes, isFirst in
            Subject(
                testDescription: "\(kind.rawValue) with axes \(axes) broadcast, \(isFirst ? "first" : "second")",
                input: [3, 2, 5],
                // Quotients of what is near 0 are large.
                tolerance: kind == .divide ? 1e-4 : 2e-5,
                nodes: {
                    $0.add(.exp, "exp")
                    $0.add(.reduceMean, "mean", ["axes": .integers(axes)])
                    $0.add(kind, inputs: isFirst ? ["mean", Graph.input] : [Graph.input, "mean"])
                },
                reference: { x, _ in
                    let mean = reduced(x.map { exp($0) }, axes, to: x.dimensions) { $0.reduce(0, +) / Double($0.count) }
                    return [
                        Rows(
                            samples: x.samples, x.dimensions,
                            zip(x.values, mean.values).map { isFirst ? function($1, $0) : function($0, $1) })
                    ]
                })
        }
    }

    static let sums: [Subject] = [
        Subject(
            testDescription: "sum of three", input: [3, 2, 2],
            nodes: {
                $0.add(.tanh, "tanh")
                $0.add(.add, inputs: [Graph.input, "tanh", Graph.input])
            },
            reference: { x, _ in [x.map { 2 * $0 + tanh($0) }] }),
        Subject(
            testDescription: "sum of three that are broadcast", input: [3, 1, 4],
            nodes: {
                $0.add(.transpose, "turned", ["order": [1, 2, 0]])  // [1, 4, 3]
                $0.add(.reduceSum, "sum", ["axes": [0, 2], "keep": false])  // [1]
                $0.add(.slice, "slice", inputs: [Graph.input], ["axis": 2, "start": 0, "size": 1])  // [3, 1, 1]
                $0.add(.reshape, "number", inputs: ["sum"], ["shape": [-1]])  // [4]
                $0.add(.reduceSum, "all", inputs: ["number"], ["axes": [0]])  // [1]
                $0.add(.add, inputs: ["slice", "turned", "all"])  // [3, 4, 3]
            },
            reference: { x, _ in
                var y = Rows(samples: x.samples, [3, 4, 3])
                Reference.eachPixel(y) { n, c, i, j in
                    let total = x[n].values.reduce(0, +)
                    y[n, c, i, j] = x[n, c, 0, 0] + x[n, j, 0, i] + total
                }
                return [y]
            }),
    ]

    static let constants: [Subject] = [([3, 2, 2], 1), ([2], 1), ([1, 1, 1], 1), ([3, 1, 2], 33)].map { shape, samples in
        Subject(
            testDescription: "product with a constant of \(shape)", input: [3, 2, 2], samples: samples,
            nodes: {
                $0.add(.constant, "bn", inputs: [], ["shape": .integers(shape)])
                $0.add(.multiply, inputs: [Graph.input, "bn"])
            },
            reference: { x, weights in
                var y = x
                let value = Rows(samples: 1, [1, 1, 1].prefix(3 - shape.count) + shape, weights["bn.value"]!)
                Reference.eachPixel(x) { n, c, i, j in
                    y[n, c, i, j] *= value[0, c % value.channels, i % value.height, j % value.width]
                }
                return [y]
            })
    }

    static let reductions: [Subject] =
        [[0], [1], [2], [0, 2], [1, 2], [0, 1, 2]].flatMap { axes in
            [true, false].flatMap { keeps in
                [
                    reduction(.reduceMean, axes, keeps) { $0.reduce(0, +) / Double($0.count) },
                    reduction(.reduceSum, axes, keeps) { $0.reduce(0, +) },
                    reduction(.reduceMax, axes, keeps) { $0.max() ?? 0 },
                ]
            }
        }

    private static func reduction(
        _ kind: LayerKind, _ axes: [Int], _ keeps: Bool, _ function: @escaping @Sendable ([Double]) -> Double
    ) -> Subject {
        .sole(kind, [3, 4, 5], ["axes": .integers(axes), "keep": .flag(keeps)]) { x, _ in
            let kept = x.dimensions.enumerated().map { axes.contains($0) ? 1 : $1 }
            let y = reduced(x, axes, to: kept, function)
            return keeps ? y : y.reshaped(x.dimensions.enumerated().filter { !axes.contains($0.offset) }.map(\.element))
        }
    }

    /// The function of all numbers that differ in these axes only, at each place of a shape of the same rank.
    private static func reduced(
        _ x: Rows, _ axes: [Int], to dimensions: [Int], _ function: ([Double]) -> Double
    ) -> Rows {
        var y = Rows(samples: x.samples, dimensions)
        Reference.eachPixel(y) { n, c, i, j in
            func range(_ axis: Int, _ place: Int) -> Range<Int> {
                axes.contains(axis) ? 0..<x.dimensions[axis] : place..<place + 1
            }
            var numbers: [Double] = []
            for c in range(0, c) { for i in range(1, i) { for j in range(2, j) { numbers.append(x[n, c, i, j]) } } }
            y[n, c, i, j] = function(numbers)
        }
        return y
    }

    /// 0 / 0 in the lanes that no sample fills, between layers whose weights' gradients sum over all lanes.
    @Test func quotientsDoNotSpoilWhatNoSampleFills() throws {
        try checkGradients(
            Subject(
                testDescription: "quotient", input: [4], tolerance: 1e-3,
                nodes: {
                    $0.add(.linear, "fc1", ["outputs": 3, "bias": false])
                    $0.add(.multiply, "square", inputs: ["fc1", "fc1"])
                    $0.add(.divide, inputs: ["fc1", "square"])
                    $0.add(.linear, "fc2", ["outputs": 2, "bias": false])
                },
                reference: { x, weights in
                    let first = Reference.linear(x, weights["fc1.weight"]!, [0, 0, 0])
                    return [Reference.linear(first.map { 1 / $0 }, weights["fc2.weight"]!, [0, 0])]
                }))
    }

    @Test func shapesThatDoNotFitAreRefused() {
        for kind in [LayerKind.add, .multiply, .maximum] {
            #expect(throws: DaflError.self) {
                try Network([2, 3]) {
                    $0.add(.transpose, "turned")
                    $0.add(kind, inputs: ["turned", Graph.input])
                }
            }
            #expect(throws: DaflError.self) { try Network([2, 3]) { $0.add(kind, inputs: [Graph.input]) } }
        }
        #expect(throws: DaflError.self) { try Network([2, 3]) { $0.add(.reduceSum, ["axes": [2]]) } }
        #expect(throws: DaflError.self) { try Network([2, 3]) { $0.add(.constant, ["shape": [2]]) } }
    }
}
