import Networks
import Numerics
import Testing

@testable import Formats

/// What operators and their arrangements become, against plain loops.
struct ONNXImportTests {
    private func load(
        _ nodes: [[UInt8]], _ tensors: [[UInt8]] = [], input: [Int?], opset: Int = 13, outputs: [String] = ["y"],
        type: Int = 1, outputTypes: [String: Int] = [:], inputShape: [Int]? = nil, feature: String? = nil,
        output: String? = nil, moreInputs: [[UInt8]] = []
    ) throws -> Network {
        let graph = ONNXBytes.graph(
            input: input, nodes: nodes, tensors: tensors, outputs: outputs, type: type, outputTypes: outputTypes,
            moreInputs: moreInputs)
        return try Network.load(
            onnx: ONNXBytes.model(opset: opset, graph), inputShape: inputShape, feature: feature, output: output)
    }

    // MARK: Linear layers

    @Test(arguments: [false, true])
    func gemm(isTransposed: Bool) throws {
        let (weight, bias) = (sines(12), sines(3, 0.5))  // [3, 4]
        let stored = isTransposed ? weight : (0..<12).map { weight[$0 % 3 * 4 + $0 / 3] }
        let network = try load(
            [
                ONNXBytes.node(
                    "Gemm", ["x", "w", "c"], ["y"],
                    [
                        ONNXBytes.attribute("alpha", Float(2)), ONNXBytes.attribute("beta", Float(-3)),
                        ONNXBytes.attribute("transB", isTransposed ? 1 : 0),
                    ])
            ],
            [ONNXBytes.floats("w", isTransposed ? [3, 4] : [4, 3], stored), ONNXBytes.floats("c", [1, 3], bias)],
            input: [nil, 4])
        let x = sines(4, 0.1)
        expectClose(try network.outputs([x])[0], naiveLinear(weight.map { 2 * $0 }, bias.map { -3 * $0 }, x))
    }

    /// MatMul and Add are one linear layer, whichever side the constant is on.
    @Test(arguments: [["m", "b"], ["b", "m"]])
    func matMulAndAdd(order: [String]) throws {
        let weight = sines(12)  // [4, 3]
        let network = try load(
            [ONNXBytes.node("MatMul", ["x", "w"], ["m"]), ONNXBytes.node("Add", order, ["y"])],
            [ONNXBytes.floats("w", [4, 3], weight), ONNXBytes.floats("b", [3], [1, 2, 3])], input: [nil, 4])
        #expect(network.graph.nodes.map(\.kind) == [.linear])
        let x = sines(4, 0.7)
        expectClose(try network.outputs([x])[0], naiveLinear((0..<12).map { weight[$0 % 4 * 3 + $0 / 4] }, [1, 2, 3], x))
    }

    /// Two layers of the same constants have the same weights, unless one of them takes in what the other does not.
    @Test(arguments: [("", 1), ("before", 2), ("after", 1), ("transposed", 2)]) func sharedWeights(change: String, count: Int) throws {
        func network(second weight: String) throws -> Network {
            let transposing = [ONNXBytes.attribute("transB", change == "transposed" ? 1 : 0)]
            var nodes = [ONNXBytes.node("Gemm", ["x", "w", "b"], ["h"])]
            if change == "before" { nodes.append(ONNXBytes.node("Mul", ["h", "b"], ["k"])) }
            nodes += [
                ONNXBytes.node("Relu", [change == "before" ? "k" : "h"], ["r"]),
                ONNXBytes.node("Gemm", ["r", weight, "b"], [change == "after" ? "g" : "y"], transposing),
            ]
            if change == "after" { nodes.append(ONNXBytes.node("Mul", ["g", "b"], ["y"])) }
            return try load(
                nodes,
                [
                    ONNXBytes.floats("w", [3, 3], sines(9)), ONNXBytes.floats("v", [3, 3], sines(9)),
                    ONNXBytes.floats("b", [3], [1, 2, 3]),
                ], input: [nil, 3])
        }
        let shared = try network(second: "w")
        #expect(shared.parameters.count { $0.name.hasSuffix(".weight") } == count)
        let rows = [sines(3, 0.2), sines(3, 0.4)]
        for (found, wanted) in zip(try shared.outputs(rows), try network(second: "v").outputs(rows)) { expectClose(found, wanted) }
    }

    /// A bias is not taken into a layer whose output something else reads too.
    @Test func readTwice() throws {
        let network = try load(
            [
                ONNXBytes.node("MatMul", ["x", "w"], ["m"]), ONNXBytes.node("Relu", ["m"], ["r"]),
                ONNXBytes.node("Identity", ["m"], ["i"]), ONNXBytes.node("Add", ["i", "r"], ["y"]),
            ],
            [ONNXBytes.floats("w", [2, 2], [1, 2, 3, 4])], input: [nil, 2])
        #expect(try network.outputs([[1, -1]]) == [[-2, -2]])
        #expect(try network.outputs([[1, 1]]) == [[8, 12]])
    }

    @Test func pyTorchsNames() throws {
        let network = try load(
            [
                ONNXBytes.node(
                    "Gemm", ["x", "fc.weight", "fc.bias"], ["y"], [ONNXBytes.attribute("transB", 1)], name: "/fc/Gemm")
            ],
            [ONNXBytes.floats("fc.weight", [3, 4], sines(12)), ONNXBytes.floats("fc.bias", [3], sines(3))], input: [nil, 4])
        #expect(network.parameters.map(\.name) == ["fc.weight", "fc.bias"])
    }

    // MARK: Images

    /// [n, c, h, w], as plain loops have it.
    private func naiveConvolution(
        _ x: [Float], _ shape: (Int, Int, Int), _ weight: [Float], _ outputs: Int, _ kernel: Int, stride: Int, _ pad: [Int]
    ) -> [Float] {
        let (channels, height, width) = shape
        let size = ((height + pad[0] + pad[2] - kernel) / stride + 1, (width + pad[1] + pad[3] - kernel) / stride + 1)
        var y: [Float] = []
        for o in 0..<outputs {
            for top in 0..<size.0 {
                for left in 0..<size.1 {
                    var sum: Float = 0
                    for c in 0..<channels {
                        for ky in 0..<kernel {
                            for kx in 0..<kernel {
                                let (row, column) = (top * stride + ky - pad[0], left * stride + kx - pad[1])
                                guard (0..<height).contains(row), (0..<width).contains(column) else { continue }
                                sum +=
                                    weight[((o * channels + c) * kernel + ky) * kernel + kx]
                                    * x[(c * height + row) * width + column]
                            }
                        }
                    }
                    y.append(sum)
                }
            }
        }
        return y
    }

    @Test(arguments: [
        ("SAME_UPPER", 1, [1, 1, 1, 1]), ("SAME_UPPER", 2, [0, 0, 1, 1]), ("SAME_LOWER", 2, [1, 1, 0, 0]),
        ("VALID", 2, [0, 0, 0, 0]),
        ("NOTSET", 1, [0, 2, 1, 0]),
    ])
    func padding(mode: String, stride: Int, pad: [Int]) throws {
        let (weight, x) = (sines(2 * 3 * 9), sines(3 * 36, 0.2))
        let network = try load(
            [
                ONNXBytes.node(
                    "Conv", ["x", "w"], ["y"],
                    [
                        ONNXBytes.attribute("auto_pad", mode), ONNXBytes.attribute("strides", [stride, stride]),
                        ONNXBytes.attribute("pads", mode == "NOTSET" ? pad : [0, 0, 0, 0]),
                    ])
            ],
            [ONNXBytes.floats("w", [2, 3, 3, 3], weight)], input: [nil, 3, 6, 6])
        expectClose(try network.outputs([x])[0], naiveConvolution(x, (3, 6, 6), weight, 2, 3, stride: stride, pad))
    }

    /// Scale and shift by channel go into the convolution's weights.
    @Test func foldedNormalisation() throws {
        let (weight, x) = (sines(2 * 9), sines(25, 0.2))
        let network = try load(
            [
                ONNXBytes.node("Conv", ["x", "w"], ["c"]), ONNXBytes.node("Mul", ["c", "m"], ["d"]),
                ONNXBytes.node("Sub", ["d", "s"], ["y"]),
            ],
            [
                ONNXBytes.floats("w", [2, 1, 3, 3], weight), ONNXBytes.floats("m", [1, 2, 1, 1], [2, -3]),
                ONNXBytes.floats("s", [2, 1, 1], [5, 7]),
            ], input: [nil, 1, 5, 5])
        #expect(network.graph.nodes.map(\.kind) == [.convolution])
        let plain = naiveConvolution(x, (1, 5, 5), weight, 2, 3, stride: 1, [0, 0, 0, 0])
        expectClose(try network.outputs([x])[0], plain.enumerated().map { $0 < 9 ? 2 * $1 - 5 : -3 * $1 - 7 })
    }

    /// An image [h, w, c], transposed to [c, h, w] and back, flattened and multiplied: no transpose is left, and the linear
    /// layer's columns stand in our order.
    @Test func channelsLast() throws {
        let (kernel, weight, bias) = (sines(2 * 3), sines(24, 0.4), sines(3, 0.9))  // [2, 3, 1, 1], [8, 3]
        let network = try load(
            [
                ONNXBytes.node("Transpose", ["x"], ["t"], [ONNXBytes.attribute("perm", [0, 3, 1, 2])]),
                ONNXBytes.node("Conv", ["t", "k"], ["c"]), ONNXBytes.node("Relu", ["c"], ["r"]),
                ONNXBytes.node("Transpose", ["r"], ["u"], [ONNXBytes.attribute("perm", [0, 2, 3, 1])]),
                ONNXBytes.node("Reshape", ["u", "shape"], ["f"]), ONNXBytes.node("MatMul", ["f", "w"], ["m"]),
                ONNXBytes.node("Add", ["m", "b"], ["a"]), ONNXBytes.node("Softmax", ["a"], ["y"]),
            ],
            [
                ONNXBytes.floats("k", [2, 3, 1, 1], kernel), ONNXBytes.integers("shape", [2], [-1, 8]),
                ONNXBytes.floats("w", [8, 3], weight), ONNXBytes.floats("b", [3], bias),
            ], input: [nil, 2, 2, 3])
        #expect(network.inputShape.dimensions == [3, 2, 2])
        #expect(network.graph.interface.isChannelsLast)
        #expect(network.graph.interface.head == .softmax)
        #expect(network.graph.nodes.map(\.kind) == [.convolution, .relu, .linear])
        let x = sines(12, 0.6)
        let hidden = naiveConvolution(x, (3, 2, 2), kernel, 2, 1, stride: 1, [0, 0, 0, 0]).map { max($0, 0) }
        let flat = (0..<8).map { hidden[$0 % 2 * 4 + $0 / 2] }  // [h, w, c] of [c, h, w]
        let columns = (0..<24).map { weight[$0 % 8 * 3 + $0 / 8] }
        expectClose(try network.outputs([x])[0], naiveLinear(columns, bias, flat))
        #expect(network.graph.feature == network.graph.nodes[1].name)
    }

    /// A signal is an image one pixel wide.
    @Test func signal() throws {
        let (weight, x) = (sines(2 * 3 * 3), sines(3 * 7, 0.2))
        let network = try load(
            [
                ONNXBytes.node(
                    "Conv", ["x", "w"], ["y"], [ONNXBytes.attribute("strides", [2]), ONNXBytes.attribute("pads", [1, 1])])
            ],
            [ONNXBytes.floats("w", [2, 3, 3], weight)], input: [nil, 3, 7])
        let wanted = (0..<8).map { i in
            (0..<9).reduce(Float(0)) { sum, tap in
                let place = i % 4 * 2 + tap % 3 - 1
                return (0..<7).contains(place) ? sum + weight[i / 4 * 9 + tap] * x[tap / 3 * 7 + place] : sum
            }
        }
        expectClose(try network.outputs([x])[0], wanted)
    }

    // MARK: The batch

    private static let shapes: [([Int], [Int?])] = [
        ([-1, 4], [nil, 1, 2, 2]), ([0, -1], [nil, 1, 2, 2]), ([1, 4], [1, 1, 2, 2]), ([1, -1], [1, 1, 2, 2]),
        ([8, 4], [8, 1, 2, 2]),
        ([1, 4], [nil, 1, 2, 2]), ([-1, 2, 2], [3, 1, 2, 2]),
    ]

    @Test(arguments: shapes)
    func batchKept(shape: [Int], input: [Int?]) throws {
        let network = try load(
            [ONNXBytes.node("Reshape", ["x", "s"], ["r"]), ONNXBytes.node("Relu", ["r"], ["y"])],
            [ONNXBytes.integers("s", [shape.count], shape)], input: input)
        #expect(try network.outputs([[1, -2, 3, 4], [5, 6, 7, -8]]) == [[1, 0, 3, 4], [5, 6, 7, 0]])
    }

    @Test(arguments: [
        ([-1, 2], [nil, 1, 2, 2]), ([2, -1], [1, 1, 2, 2]), ([-1], [nil, 1, 2, 2]), ([4, 1], [nil, 4]), ([], [1, 1]),
    ])
    func batchMixed(shape: [Int], input: [Int?]) {
        expectError(.unsupported, .format, naming: "ONNX model in memory: node \"r\", ") {
            _ = try load(
                [ONNXBytes.node("Reshape", ["x", "s"], ["r"]), ONNXBytes.node("Relu", ["r"], ["y"])],
                [ONNXBytes.integers("s", [shape.count], shape)], input: input)
        }
    }

    /// As PyTorch writes x.view(x.size(0), -1) and x.view(x.size(0), 2, x.size(1) // 2, ...).
    @Test func computedShapes() throws {
        let network = try load(
            [
                ONNXBytes.node("Shape", ["x"], ["s"]), ONNXBytes.node("Gather", ["s", "zero"], ["n"]),
                ONNXBytes.node("Gather", ["s", "one"], ["c"]), ONNXBytes.node("Div", ["c", "two"], ["half"]),
                ONNXBytes.node("Unsqueeze", ["n", "axes"], ["n1"]),
                ONNXBytes.node("Unsqueeze", ["half", "axes"], ["half1"]),
                ONNXBytes.node("Cast", ["half1"], ["halff"], [ONNXBytes.attribute("to", 1)]),
                ONNXBytes.node("Floor", ["halff"], ["floor"]),
                ONNXBytes.node("Cast", ["floor"], ["halfi"], [ONNXBytes.attribute("to", 7)]),
                ONNXBytes.node("Concat", ["n1", "halfi", "rest"], ["shape"], [ONNXBytes.attribute("axis", 0)]),
                ONNXBytes.node("Reshape", ["x", "shape"], ["r"]), ONNXBytes.node("Flatten", ["r"], ["f"]),
                ONNXBytes.node("Relu", ["f"], ["y"]),
            ],
            [
                ONNXBytes.integers("zero", [], [0]), ONNXBytes.integers("one", [], [1]), ONNXBytes.integers("two", [], [2]),
                ONNXBytes.integers("axes", [1], [0]), ONNXBytes.integers("rest", [1], [-1]),
            ], input: [nil, 4, 1, 1])
        #expect(try network.outputs([[1, -2, 3, 4]]) == [[1, 0, 3, 4]])
    }

    // MARK: Ends

    @Test(arguments: [("Softmax", Graph.Interface.Head.softmax), ("LogSoftmax", .logSoftmax), ("Sigmoid", .sigmoid)])
    func heads(operation: String, head: Graph.Interface.Head) throws {
        let network = try load(
            [
                ONNXBytes.node("Relu", ["x"], ["l"]), ONNXBytes.node(operation, ["l"], ["p"]),
                ONNXBytes.node("Identity", ["p"], ["q"]),
                ONNXBytes.node("Reshape", ["q", "s"], ["y"]),
            ],
            [ONNXBytes.integers("s", [2], [-1, 3])], input: [nil, 3])
        #expect(network.graph.interface.head == head)
        #expect(try network.outputs([[1, -2, 3]]) == [[1, 0, 3]])
    }

    /// The only one of numbers is read, of several the one that is named, and of two that may be meant none.
    @Test func severalOutputs() throws {
        let network = try load(
            [ONNXBytes.node("Relu", ["x"], ["y"]), ONNXBytes.node("ArgMax", ["y"], ["z"])], input: [nil, 3],
            outputs: ["z", "y"], outputTypes: ["z": 7])
        #expect(network.graph.interface.outputName == "y")
        let nodes = [ONNXBytes.node("Relu", ["x"], ["y"]), ONNXBytes.node("Neg", ["y"], ["z"])]
        func reading(_ output: String?, feature: String? = nil) throws -> Network {
            try load(nodes, input: [nil, 3], outputs: ["y", "z"], feature: feature, output: output)
        }
        #expect(try reading("z").outputs([[1, -1, 2]]) == [[-1, 0, -2]])
        #expect(try reading("y").graph.interface.outputName == "y")
        #expect(try reading(nil, feature: "y").graph.interface.outputName == "z")
        let error = #expect(throws: DaflError.self) { _ = try reading(nil) }
        #expect(error?.status == .unsupported && error?.description.contains(#""y", "z""#) == true)
        expectError(.invalidArgument) { _ = try reading("x") }
        expectError(.unsupported) {
            _ = try load([ONNXBytes.node("ArgMax", ["x"], ["y"])], input: [nil, 3])
        }
    }

    @Test func namedFeature() throws {
        let nodes = [
            ONNXBytes.node("Relu", ["x"], ["a"]), ONNXBytes.node("MatMul", ["a", "w"], ["b"], name: "first"),
            ONNXBytes.node("Add", ["b", "c"], ["d"]), ONNXBytes.node("MatMul", ["d", "w"], ["y"]),
        ]
        let tensors = [ONNXBytes.floats("w", [2, 2], [1, 2, 3, 4]), ONNXBytes.floats("c", [2], [1, 1])]
        #expect(try load(nodes, tensors, input: [nil, 2]).graph.feature == "first")
        #expect(try load(nodes, tensors, input: [nil, 2], feature: "a").featureShape?.dimensions == [2])
        for name in ["x", "nothing", "w", ""] {
            expectError(.invalidArgument) { _ = try load(nodes, tensors, input: [nil, 2], feature: name) }
        }
        expectError(.invalidArgument) { _ = try load(nodes, tensors, input: [nil, 2], inputShape: [3]) }
    }

    @Test func noFeature() throws {
        let network = try load(
            [ONNXBytes.node("MatMul", ["x", "w"], ["y"])], [ONNXBytes.floats("w", [2, 2], [1, 2, 3, 4])], input: [nil, 2])
        #expect(network.graph.feature == nil)
    }

    /// Before IR version 4 initializers are inputs too.
    @Test func listedInitializers() throws {
        let network = try load(
            [ONNXBytes.node("MatMul", ["x", "w"], ["y"])], [ONNXBytes.floats("w", [2, 2], [1, 2, 3, 4])], input: [nil, 2],
            moreInputs: [ONNXBytes.interface("w", [2, 2])])
        #expect(try network.outputs([[1, 1]]) == [[4, 6]])
    }

    // MARK: Numbers

    /// In each way that onnx.proto can store them.
    @Test func storedNumbers() throws {
        let wanted: [Float] = [1, -2, 0.5, 3]
        func packed(_ body: (inout ONNXBytes) -> Void) -> [UInt8] {
            var list = ONNXBytes()
            body(&list)
            return list.bytes
        }
        let halves: [UInt16] = [0x3C00, 0xC000, 0x3800, 0x4200]
        let tensors = [
            ONNXBytes.tensor("w", [2, 2], type: 1) { $0.slice(4, wanted.flatMap { littleEndian($0.bitPattern) }) },
            ONNXBytes.tensor("w", [2, 2], type: 1) { tensor in for number in wanted { tensor.float(4, number) } },
            ONNXBytes.tensor("w", [2, 2], type: 11) {
                $0.slice(10, wanted.flatMap { littleEndian(Double($0).bitPattern) })
            },
            ONNXBytes.tensor("w", [2, 2], type: 11) { $0.slice(9, wanted.flatMap { littleEndian(Double($0).bitPattern) }) },
            ONNXBytes.tensor("w", [2, 2], type: 10) { $0.slice(9, halves.flatMap { littleEndian($0) }) },
            ONNXBytes.tensor("w", [2, 2], type: 10) { tensor in
                tensor.slice(5, packed { list in for half in halves { list.varint(UInt64(half)) } })
            },
            ONNXBytes.tensor("w", [2, 2], type: 16) {
                $0.slice(9, wanted.flatMap { littleEndian(UInt16($0.bitPattern >> 16)) })
            },
        ]
        for tensor in tensors {
            let network = try load([ONNXBytes.node("MatMul", ["x", "w"], ["y"])], [tensor], input: [nil, 2])
            #expect(try network.outputs([[1, 0], [0, 1]]) == [[1, -2], [0.5, 3]])
        }
    }

    /// Weights in 8 bits, with a scale for each output.
    @Test func dequantisedWeights() throws {
        let network = try load(
            [
                ONNXBytes.node("DequantizeLinear", ["q", "s", "z"], ["w"], [ONNXBytes.attribute("axis", 1)]),
                ONNXBytes.node("MatMul", ["x", "w"], ["y"]),
            ],
            [
                ONNXBytes.tensor("q", [2, 2], type: 3) { $0.slice(9, [1, 0xFF, 10, 0x80]) },
                ONNXBytes.floats("s", [2], [0.5, 2]), ONNXBytes.tensor("z", [2], type: 3) { $0.slice(9, [0, 1]) },
            ], input: [nil, 2])
        #expect(try network.outputs([[1, 0], [0, 1]]) == [[0.5, -4], [5, -258]])
    }

    /// A network of whole numbers takes them as they are.
    @Test func wholeInputs() throws {
        let network = try load(
            [
                ONNXBytes.node("DequantizeLinear", ["x", "s", "z"], ["d"]), ONNXBytes.node("Relu", ["d"], ["y"]),
            ],
            [ONNXBytes.floats("s", [], [0.5]), ONNXBytes.tensor("z", [], type: 3) { $0.slice(9, [0x80]) }],
            input: [nil, 3], type: 3)
        expectClose(try network.outputs([[-128, 0, 127]])[0], [0, 64, 127.5])
        #expect(network.inputUnits?.mean.value[0] == -128)
    }

    // MARK: What is not read

    @Test(arguments: ["LSTM", "Einsum", "Loop", "NonMaxSuppression", "TopK", "QLinearConv"])
    func otherOperators(operation: String) {
        expectError(.unsupported, naming: "ONNX model in memory: node \"here\", \(operation) (opset 13), ") {
            _ = try load([ONNXBytes.node(operation, ["x"], ["y"], name: "here")], input: [nil, 3])
        }
    }

    @Test func otherDomains() {
        expectError(
            .unsupported, naming: "ONNX model in memory: node \"trees\", TreeEnsembleClassifier (ai.onnx.ml opset 0), "
        ) {
            _ = try load(
                [ONNXBytes.node("TreeEnsembleClassifier", ["x"], ["y"], name: "trees", domain: "ai.onnx.ml")],
                input: [nil, 3])
        }
    }

    @Test(arguments: [1, 6, 24, 1 << 40, -1])
    func otherOpsets(opset: Int) {
        expectError(.unsupported) { _ = try load([ONNXBytes.node("Relu", ["x"], ["y"])], input: [nil, 3], opset: opset) }
    }

    @Test func severalInputs() {
        expectError(.unsupported) {
            _ = try load(
                [ONNXBytes.node("Add", ["x", "z"], ["y"])], input: [nil, 3],
                moreInputs: [ONNXBytes.interface("z", [nil, 3])])
        }
    }
}
