import Networks
import Numerics
import Testing

@testable import Formats

/// Operators of several inputs, and those that move numbers about, against plain loops.
struct ONNXArrangementTests {
    private func load(_ nodes: [[UInt8]], _ tensors: [[UInt8]] = [], input: [Int?], opset: Int = 13) throws -> Network {
        let graph = ONNXBytes.graph(input: input, nodes: nodes, tensors: tensors)
        return try Network.load(onnx: ONNXBytes.model(opset: opset, graph))
    }

    private func kinds(_ network: Network) -> [String] { network.graph.nodes.map(\.kind.rawValue) }

    /// Squeeze and excite of an image [h, w, c]: the mean over pixels multiplies the channels.
    @Test func channelsLastGates() throws {
        let network = try load(
            [
                ONNXBytes.node("Transpose", ["x"], ["t"], [ONNXBytes.attribute("perm", [0, 3, 1, 2])]),
                ONNXBytes.node("Relu", ["t"], ["r"]),
                ONNXBytes.node("Transpose", ["r"], ["u"], [ONNXBytes.attribute("perm", [0, 2, 3, 1])]),
                ONNXBytes.node(
                    "ReduceMean", ["u"], ["m"],
                    [ONNXBytes.attribute("axes", [1, 2]), ONNXBytes.attribute("keepdims", 1)]),
                ONNXBytes.node("Mul", ["u", "m"], ["p"]), ONNXBytes.node("Add", ["p", "c"], ["y"]),
            ],
            [ONNXBytes.floats("c", [3], [10, 20, 30])], input: [nil, 2, 2, 3])
        let x = sines(12, 0.2)
        let relu = x.map { max($0, 0) }
        // Given back as the file has them: [h, w, c].
        let wanted = (0..<12).map { i in
            let channel = i % 3
            let mean = (0..<4).reduce(Float(0)) { $0 + relu[channel * 4 + $1] } / 4
            return relu[channel * 4 + i / 3] * mean + Float(10 * (channel + 1))
        }
        expectClose(try network.outputs([x])[0], wanted)
        #expect(kinds(network).filter { $0 == "transpose" }.count == 1)  // the output's
    }

    /// Channel shuffle, as ShuffleNet has it.
    @Test func shuffledChannels() throws {
        let network = try load(
            [
                ONNXBytes.node("Reshape", ["x", "a"], ["r"]),
                ONNXBytes.node("Transpose", ["r"], ["t"], [ONNXBytes.attribute("perm", [0, 2, 1, 3, 4])]),
                ONNXBytes.node("Reshape", ["t", "b"], ["s"]), ONNXBytes.node("Relu", ["s"], ["y"]),
            ],
            [ONNXBytes.integers("a", [5], [-1, 2, 3, 1, 2]), ONNXBytes.integers("b", [4], [-1, 6, 1, 2])],
            input: [nil, 6, 1, 2])
        let x = (1...12).map { Float($0) }
        let wanted: [Float] = [1, 2, 7, 8, 3, 4, 9, 10, 5, 6, 11, 12]
        #expect(try network.outputs([x])[0] == wanted)
    }

    @Test func splitAndConcat() throws {
        let network = try load(
            [
                ONNXBytes.node("Split", ["x", "sizes"], ["a", "b"], [ONNXBytes.attribute("axis", 1)]),
                ONNXBytes.node("Concat", ["b", "a"], ["c"], [ONNXBytes.attribute("axis", -3)]),
                ONNXBytes.node("Slice", ["c", "start", "end", "axes", "step"], ["y"]),
            ],
            [
                ONNXBytes.integers("sizes", [2], [1, 2]), ONNXBytes.integers("start", [1], [-3]),
                ONNXBytes.integers("end", [1], [.max]), ONNXBytes.integers("axes", [1], [3]),
                ONNXBytes.integers("step", [1], [2]),
            ], input: [nil, 3, 1, 3])
        #expect(try network.outputs([[1, 2, 3, 4, 5, 6, 7, 8, 9]])[0] == [4, 6, 7, 9, 1, 3])
    }

    /// A padding before a convolution is the convolution's.
    @Test func absorbedPadding() throws {
        let nodes = [
            ONNXBytes.node("Pad", ["x", "pads"], ["p"]),
            ONNXBytes.node("Conv", ["p", "w"], ["y"], [ONNXBytes.attribute("strides", [2, 2])]),
        ]
        let tensors = [
            ONNXBytes.integers("pads", [8], [0, 0, 0, 0, 0, 0, 1, 1]), ONNXBytes.floats("w", [1, 1, 2, 2], [1, 2, 3, 4]),
        ]
        let network = try load(nodes, tensors, input: [nil, 1, 3, 3])
        #expect(kinds(network) == ["convolution"])
        let wanted: [Float] = [1 + 4 + 12 + 20, 3 + 18, 7 + 16, 9]
        #expect(try network.outputs([[1, 2, 3, 4, 5, 6, 7, 8, 9]])[0] == wanted)
    }

    /// What exporters spell out, in one node, with the same numbers.
    @Test func spelledFunctions() throws {
        let constants = [
            ONNXBytes.floats("three", [], [3]), ONNXBytes.floats("six", [], [6]), ONNXBytes.floats("zero", [], [0]),
            ONNXBytes.floats("root", [], [Float(2).squareRoot()]), ONNXBytes.floats("one", [], [1]),
            ONNXBytes.floats("half", [], [0.5]),
        ]
        let swish = [
            ONNXBytes.node("Add", ["x", "three"], ["a"]), ONNXBytes.node("Clip", ["a", "zero", "six"], ["b"]),
        ]
        let spelled: [(String, [[UInt8]])] = [
            (
                "hard_swish",
                swish + [ONNXBytes.node("Mul", ["x", "b"], ["c"]), ONNXBytes.node("Div", ["c", "six"], ["y"])]
            ),
            (
                "hard_swish",
                swish + [ONNXBytes.node("Div", ["b", "six"], ["c"]), ONNXBytes.node("Mul", ["c", "x"], ["y"])]
            ),
            ("hard_sigmoid", swish + [ONNXBytes.node("Div", ["b", "six"], ["y"])]),
            ("silu", [ONNXBytes.node("Sigmoid", ["x"], ["a"]), ONNXBytes.node("Mul", ["x", "a"], ["y"])]),
            (
                "gelu",
                [
                    ONNXBytes.node("Div", ["x", "root"], ["a"]), ONNXBytes.node("Erf", ["a"], ["b"]),
                    ONNXBytes.node("Add", ["b", "one"], ["c"]), ONNXBytes.node("Mul", ["x", "c"], ["d"]),
                    ONNXBytes.node("Mul", ["d", "half"], ["y"]),
                ]
            ),
        ]
        let at2: [String: Float] = [
            "hard_swish": 2 * 5 / 6, "hard_sigmoid": 5 / 6, "silu": 1.7615942, "gelu": 1.9544997,
        ]
        for (kind, nodes) in spelled {
            let network = try load(nodes, constants, input: [nil, 2])
            #expect(kinds(network) == [kind])
            expectClose(try network.outputs([[2, 0]])[0], [at2[kind] ?? .nan, kind == "hard_sigmoid" ? 0.5 : 0])
        }
        // Not where the clip has another reader.
        let shared = try load(
            swish + [
                ONNXBytes.node("Mul", ["x", "b"], ["c"]), ONNXBytes.node("Div", ["c", "six"], ["d"]),
                ONNXBytes.node("Add", ["b", "d"], ["y"]),
            ], constants, input: [nil, 2])
        #expect(kinds(shared).contains("clip"))
        expectClose(try shared.outputs([[2, 0]])[0], [5 + 10.0 / 6, 3])
    }

    /// Rounded to 8 bits and back.
    @Test func quantisedActivations() throws {
        let network = try load(
            [
                ONNXBytes.node("QuantizeLinear", ["x", "s", "z"], ["q"]), ONNXBytes.node("Reshape", ["q", "shape"], ["r"]),
                ONNXBytes.node("DequantizeLinear", ["r", "s", "z"], ["y"]),
            ],
            [
                ONNXBytes.floats("s", [], [0.5]), ONNXBytes.tensor("z", [], type: 2) { $0.slice(9, [10]) },
                ONNXBytes.integers("shape", [2], [-1, 4]),
            ], input: [nil, 4])
        #expect(try network.outputs([[0.3, -2.2, 1000, -1000]])[0] == [0.5, -2, 122.5, -5])
        expectError(.unsupported) {
            _ = try load(
                [ONNXBytes.node("QuantizeLinear", ["x", "s"], ["q"]), ONNXBytes.node("Relu", ["q"], ["y"])],
                [ONNXBytes.floats("s", [], [0.5])], input: [nil, 4])
        }
    }

    /// A constant that is expanded to the batch is the same for all samples.
    @Test func expandedConstants() throws {
        let network = try load(
            [
                ONNXBytes.node("Shape", ["x"], ["s"]), ONNXBytes.node("Expand", ["c", "s"], ["e"]),
                ONNXBytes.node("Max", ["x", "e"], ["y"]),
            ],
            [ONNXBytes.floats("c", [], [2])], input: [nil, 3])
        #expect(try network.outputs([[1, 2, 3], [4, 0, 1]]) == [[2, 2, 3], [4, 2, 2]])
    }

    @Test(arguments: [("nearest", [Float]([1, 1, 2, 2])), ("linear", [1, 1.25, 1.75, 2])])
    func resizing(mode: String, wanted: [Float]) throws {
        let network = try load(
            [ONNXBytes.node("Resize", ["x", "", "scales"], ["y"], [ONNXBytes.attribute("mode", mode)])],
            [ONNXBytes.floats("scales", [4], [1, 1, 1, 2])], input: [nil, 1, 1, 2])
        expectClose(try network.outputs([[1, 2]])[0], wanted)
    }
}
