import Glibc
import Networks
import Numerics
import Testing

@Suite struct RearrangementTests {
    @Test(arguments: slices + transpositions + paddings + concatenations + reshapes)
    func forwardIsTheDefinitionAndBackwardItsSlope(_ subject: Subject) throws {
        try checkGradients(subject)
    }

    /// Each number of the output from the place in the input that `from` names.
    private static func moved(
        _ kind: LayerKind, _ input: [Int], _ attributes: [String: Attribute], to output: [Int],
        from: @escaping @Sendable ([Int]) -> [Int]?
    ) -> Subject {
        .sole(kind, input, attributes) { x, _ in
            var y = Rows(samples: x.samples, output)
            for i in y.values.indices {
                var (rest, place) = (i % y.elements, [Int]())
                for size in output.reversed() {
                    place.insert(rest % size, at: 0)
                    rest /= size
                }
                y.values[i] =
                    from(place).map { x.values[i / y.elements * x.elements + index($0, in: input)] } ?? 0.5
            }
            return y
        }
    }

    private static func index(_ place: [Int], in dimensions: [Int]) -> Int {
        zip(place, dimensions).reduce(0) { $0 * $1.1 + $1.0 }
    }

    static let slices: [Subject] = [
        moved(.slice, [5, 2, 3], ["axis": 0, "start": 1, "size": 3], to: [3, 2, 3]) { [$0[0] + 1, $0[1], $0[2]] },
        moved(.slice, [2, 5, 3], ["axis": 1, "start": 0, "size": 3, "step": 2], to: [2, 3, 3]) {
            [$0[0], 2 * $0[1], $0[2]]
        },
        moved(.slice, [2, 3, 4], ["axis": 2, "start": 3, "size": 2, "step": -2], to: [2, 3, 2]) {
            [$0[0], $0[1], 3 - 2 * $0[2]]
        },
        moved(.slice, [4], ["axis": 0, "start": 3, "size": 4, "step": -1], to: [4]) { [3 - $0[0]] },
    ]

    static let transpositions: [Subject] = [
        moved(.transpose, [3, 4, 2], ["order": [1, 2, 0]], to: [4, 2, 3]) { [$0[2], $0[0], $0[1]] },
        moved(.transpose, [3, 4], [:], to: [4, 3]) { [$0[1], $0[0]] },
        moved(.transpose, [2, 3, 1, 2, 3], ["order": [4, 0, 3, 1, 2]], to: [3, 2, 2, 3, 1]) {
            [$0[1], $0[3], $0[4], $0[2], $0[0]]
        },
    ]

    static let paddings: [Subject] = [
        moved(
            .pad, [2, 3, 2], ["before": [0, 1, 2], "after": [1, 0, 3], "value": 0.5], to: [3, 4, 7],
            from: { ($0[0] < 2 && $0[1] >= 1 && (2..<4).contains($0[2])) ? [$0[0], $0[1] - 1, $0[2] - 2] : nil }),
        moved(.pad, [2, 3, 2], ["before": [0, 1, 2], "after": [1, 0, 3], "mode": "edge"], to: [3, 4, 7]) {
            [min($0[0], 1), max($0[1] - 1, 0), min(max($0[2] - 2, 0), 1)]
        },
        moved(.pad, [2, 4, 3], ["before": [0, 3, 2], "after": [0, 1, 2], "mode": "reflect"], to: [2, 8, 7]) {
            func mirrored(_ i: Int, _ size: Int) -> Int { i < 0 ? -i : i < size ? i : 2 * (size - 1) - i }
            return [$0[0], mirrored($0[1] - 3, 4), mirrored($0[2] - 2, 3)]
        },
        moved(.pad, [3], [:], to: [3]) { $0 },
    ]

    static let concatenations: [Subject] = [0, 1, 2].map { axis in
        Subject(
            testDescription: "concatenation along axis \(axis)", input: [2, 3, 4],
            nodes: {
                $0.add(.tanh, "tanh")
                $0.add(.slice, "slice", ["axis": .integer(axis), "start": 1, "size": 1])
                $0.add(.concat, inputs: ["tanh", "slice", Graph.input, "tanh"], ["axis": .integer(axis)])
            },
            reference: { x, _ in
                let squashed = x.map { Glibc.tanh($0) }
                return [concatenation([squashed, slice(squashed, axis), x, squashed], axis)]
            })
    }

    private static func slice(_ x: Rows, _ axis: Int) -> Rows {
        var dimensions = x.dimensions
        dimensions[axis] = 1
        var y = Rows(samples: x.samples, dimensions)
        Reference.eachPixel(y) { n, c, i, j in
            let place = [c, i, j].enumerated().map { $0 == axis ? 1 : $1 }
            y[n, c, i, j] = x[n, place[0], place[1], place[2]]
        }
        return y
    }

    private static func concatenation(_ parts: [Rows], _ axis: Int) -> Rows {
        var dimensions = parts[0].dimensions
        dimensions[axis] = parts.reduce(0) { $0 + $1.dimensions[axis] }
        var y = Rows(samples: parts[0].samples, dimensions)
        var start = [0, 0, 0]
        for part in parts {
            Reference.eachPixel(part) { n, c, i, j in
                y[n, c + start[0], i + start[1], j + start[2]] = part[n, c, i, j]
            }
            start[axis] += part.dimensions[axis]
        }
        return y
    }

    static let reshapes: [Subject] = [([-1], [12]), ([3, -1], [3, 4]), ([2, -1, 3], [2, 2, 3]), ([-1, 12], [1, 12])].map {
        shape, output in
        .sole(.reshape, [2, 3, 2], ["shape": .integers(shape)]) { x, _ in x.reshaped(output) }
    }

    /// PyTorch 2.13.
    @Test func paddingIsPyTorchs() throws {
        let x = [1, 2, 4, -1, 0.5, 3]
        #expect(
            try output(.pad, [1, 2, 3], ["before": [0, 1, 2], "after": [0, 0, 1], "mode": "reflect"], of: x) == [
                3.0, 0.5, -1.0, 0.5, 3.0, 0.5, 4.0, 2.0, 1.0, 2.0, 4.0, 2.0, 3.0, 0.5, -1.0, 0.5, 3.0, 0.5,
            ])
        #expect(
            try output(.pad, [1, 2, 3], ["before": [0, 1, 2], "after": [0, 1, 1], "mode": "edge"], of: x) == [
                1.0, 1.0, 1.0, 2.0, 4.0, 4.0, 1.0, 1.0, 1.0, 2.0, 4.0, 4.0, -1.0, -1.0, -1.0, 0.5, 3.0, 3.0, -1.0,
                -1.0, -1.0, 0.5, 3.0, 3.0,
            ])
    }

    @Test(arguments: [
        (.slice, ["axis": 3, "start": 0, "size": 1]), (.slice, ["axis": 0, "start": 2, "size": 1]),
        (.slice, ["axis": 1, "start": 2, "size": 2]), (.slice, ["axis": 1, "start": 0, "size": 2, "step": 3]),
        (.slice, ["axis": 1, "start": 0, "size": 2, "step": -1]), (.slice, ["axis": 1, "start": 0, "size": 1, "step": 0]),
        (.transpose, ["order": [0, 1]]), (.transpose, ["order": [0, 1, 1]]), (.pad, ["before": [1]]),
        (.pad, ["before": [0, 0, -1]]), (.pad, ["before": [0, 3, 0], "mode": "reflect"]), (.pad, ["mode": "wrap"]),
        (.concat, ["axis": 3]), (.reshape, ["shape": [-1, -1]]), (.reshape, ["shape": [5, -1]]),
        (.reshape, ["shape": [0, -1]]), (.reshape, ["shape": [-2, 6]]),
    ] as [(LayerKind, [String: Attribute])])
    func whatIsNotAllowedIsRefused(kind: LayerKind, attributes: [String: Attribute]) {
        #expect(throws: DaflError.self) { try Network([2, 3, 2]) { $0.add(kind, attributes) } }
    }

    @Test func partsOfOtherSizesAreRefused() {
        #expect(throws: DaflError.self) {
            try Network([2, 3, 2]) {
                $0.add(.flatten, "flat")
                $0.add(.concat, inputs: ["flat", Graph.input])
            }
        }
        #expect(throws: DaflError.self) {
            try Network([2, 3, 2]) {
                $0.add(.transpose, "turned", ["order": [1, 0, 2]])
                $0.add(.concat, inputs: ["turned", Graph.input])
            }
        }
    }
}
