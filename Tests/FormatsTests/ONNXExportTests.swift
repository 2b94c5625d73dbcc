import Networks
import Numerics
import TestSupport
import Testing

@testable import Formats

/// What networks become as ONNX files. ONNX Runtime's answers for them are compared in python-bindings/tests.
struct ONNXExportTests {
    private let folder = TemporaryFolder()

    private func network(_ graph: Graph) throws -> Network {
        let network = try Network(graph)
        for (phase, parameter) in network.parameters.enumerated() {
            let numbers = sines(parameter.value.count, Float(phase) / 7)
            for i in 0..<parameter.value.count {
                parameter.value[i] = parameter.allowed == .finite ? numbers[i] : 1.5 + numbers[i]
            }
        }
        return network
    }

    private func graph(_ input: [Int], _ nodes: String) throws -> Graph {
        try Graph(json: "{\"input\":\(input),\"nodes\":[\(nodes)]}")
    }

    private func saved(_ network: Network, softmax: Bool? = nil) throws -> ONNXModel {
        try network.save(onnx: folder["a"], softmax: softmax, version: "1.2.3")
        return try ONNXModel(UnsafeBytes(path: folder["a"]), folder: nil)
    }

    // MARK: Kinds

    struct Kind: Sendable, CustomTestStringConvertible {
        let kind: LayerKind
        var attributes = ""
        /// Nodes before it, with a comma.
        var before = ""
        /// The operators that it is written as.
        let operators: [String]

        var testDescription: String { "\(kind.rawValue) \(attributes)" }

        private static let other = #"{"kind":"global_average_pool","name":"other"},"#
        private static let two = #","inputs":["input","other"]"#

        static let all: [Kind] = [
            Kind(
                kind: .convolution,
                attributes: #","outputs":6,"kernel":[3,2],"stride":[2,1],"padding":[1,0,2,1],"dilation":[1,2],"groups":2"#,
                operators: ["Conv"]),
            Kind(
                kind: .transposedConvolution,
                attributes: #","outputs":6,"kernel":[3,2],"stride":[2,1],"padding":[1,0,1,1],"output_padding":[1,0],"groups":2"#,
                operators: ["ConvTranspose"]),
            Kind(kind: .linear, attributes: #","outputs":3"#, operators: ["Flatten", "Gemm"]),
            Kind(kind: .linear, attributes: #","outputs":3,"axis":"last""#, operators: ["Transpose", "MatMul", "Add"]),
            Kind(kind: .batchNorm, attributes: #","epsilon":0.1"#, operators: ["BatchNormalization"]),
            Kind(kind: .batchNorm, attributes: #","affine":false"#, operators: ["BatchNormalization"]),
            Kind(kind: .layerNorm, attributes: #","dimensions":2"#, operators: ["LayerNormalization"]),
            Kind(
                kind: .groupNorm, attributes: #","groups":2"#,
                operators: ["Reshape", "InstanceNormalization", "Reshape", "Mul", "Add"]),
            Kind(kind: .instanceNorm, operators: ["InstanceNormalization"]),
            Kind(kind: .lrn, attributes: #","size":3,"alpha":0.5"#, operators: ["LRN"]),
            Kind(
                kind: .lrn, attributes: #","size":2,"alpha":0.5"#,
                operators: ["Mul", "Reshape", "AveragePool", "Reshape", "Mul", "Add", "Pow", "Div"]),
            Kind(kind: .units, attributes: #","count":4,"direction":"standardising""#, operators: ["Sub", "Div"]),
            Kind(kind: .units, attributes: #","count":168,"direction":"restoring""#, operators: ["Mul", "Add"]),
            Kind(kind: .relu, operators: ["Relu"]),
            Kind(kind: .leakyReLU, attributes: #","slope":0.2"#, operators: ["LeakyRelu"]),
            Kind(kind: .prelu, operators: ["PRelu"]),
            Kind(kind: .elu, attributes: #","alpha":0.5"#, operators: ["Elu"]),
            Kind(kind: .selu, operators: ["Selu"]),
            Kind(kind: .gelu, operators: ["Div", "Erf", "Add", "Mul", "Mul"]),
            Kind(
                kind: .gelu, attributes: #","approximation":"tanh""#,
                operators: ["Pow", "Mul", "Add", "Mul", "Tanh", "Add", "Mul", "Mul"]),
            Kind(kind: .silu, operators: ["Sigmoid", "Mul"]),
            Kind(kind: .mish, operators: ["Softplus", "Tanh", "Mul"]),
            Kind(kind: .hardSwish, operators: ["HardSwish"]),
            Kind(kind: .sigmoid, operators: ["Sigmoid"]),
            Kind(kind: .hardSigmoid, attributes: #","alpha":0.3"#, operators: ["HardSigmoid"]),
            Kind(kind: .tanh, operators: ["Tanh"]),
            Kind(kind: .softplus, operators: ["Softplus"]),
            Kind(kind: .softsign, operators: ["Softsign"]),
            Kind(kind: .clip, attributes: #","low":-0.5,"high":0.25"#, operators: ["Clip"]),
            Kind(kind: .clip, attributes: #","high":0.25"#, operators: ["Clip"]),
            Kind(kind: .abs, operators: ["Abs"]),
            Kind(kind: .sqrt, before: #"{"kind":"abs"},"#, operators: ["Sqrt"]),
            Kind(kind: .exp, operators: ["Exp"]),
            Kind(kind: .log, before: #"{"kind":"exp"},"#, operators: ["Log"]),
            Kind(kind: .negate, operators: ["Neg"]),
            Kind(kind: .reciprocal, before: #"{"kind":"exp"},"#, operators: ["Reciprocal"]),
            Kind(kind: .erf, operators: ["Erf"]),
            Kind(kind: .power, attributes: #","exponent":2"#, operators: ["Pow"]),
            Kind(kind: .softmax, operators: ["Softmax"]),
            Kind(
                kind: .fakeQuantize, attributes: #","scale":0.01,"zero":3,"low":-128,"high":127"#,
                operators: ["Div", "Round", "Clip", "Mul"]),
            Kind(
                kind: .maxPool, attributes: #","window":2,"stride":2,"padding":[1,0,0,1],"ceil":true"#,
                operators: ["MaxPool"]),
            Kind(kind: .averagePool, attributes: #","window":3,"stride":2,"padding":1"#, operators: ["AveragePool"]),
            // A last window past the padding, which counts otherwise.
            Kind(
                kind: .averagePool, attributes: #","window":3,"stride":3,"padding":[1,0,0,1],"ceil":true"#,
                operators: ["Pad", "AveragePool"]),
            Kind(kind: .globalAveragePool, operators: ["GlobalAveragePool"]),
            Kind(kind: .globalMaxPool, operators: ["GlobalMaxPool"]),
            Kind(kind: .upsample, attributes: #","factor":[2,3]"#, operators: ["Resize"]),
            Kind(kind: .upsample, attributes: #","factor":3,"alignment":"corners""#, operators: ["Resize"]),
            Kind(kind: .upsample, attributes: #","size":[9,4]"#, operators: ["Shape", "Concat", "Resize"]),
            Kind(
                kind: .upsample, attributes: #","size":[9,4],"mode":"bilinear","alignment":"corners""#,
                operators: ["Shape", "Concat", "Resize"]),
            Kind(kind: .add, attributes: two, before: other, operators: ["Add"]),
            Kind(
                kind: .add, attributes: #","inputs":["input","other","input"]"#, before: other,
                operators: ["Sum"]),
            Kind(kind: .subtract, attributes: two, before: other, operators: ["Sub"]),
            Kind(kind: .multiply, attributes: two, before: other, operators: ["Mul"]),
            Kind(
                kind: .divide, attributes: #","inputs":["input","other"]"#, before: #"{"kind":"exp","name":"other"},"#,
                operators: ["Div"]),
            Kind(kind: .maximum, attributes: two, before: other, operators: ["Max"]),
            Kind(kind: .minimum, attributes: two, before: other, operators: ["Min"]),
            Kind(
                kind: .constant, attributes: #","name":"c","inputs":[],"shape":[4,1,1]},{"kind":"add","inputs":["input","c"]"#,
                operators: ["Add"]),
            Kind(kind: .concat, attributes: #","inputs":["input","input"]"#, operators: ["Concat"]),
            Kind(kind: .slice, attributes: #","axis":1,"start":1,"size":3,"step":2"#, operators: ["Slice"]),
            Kind(kind: .slice, attributes: #","axis":0,"start":3,"size":4,"step":-1"#, operators: ["Slice"]),
            Kind(kind: .slice, attributes: #","axis":1,"start":5,"size":2,"step":-2"#, operators: ["Slice"]),
            Kind(kind: .crop, attributes: #","height":4,"width":3"#, operators: ["Slice"]),
            Kind(kind: .pad, attributes: #","before":[0,1,2],"after":[0,3,1],"value":1.5"#, operators: ["Pad"]),
            Kind(kind: .transpose, attributes: #","order":[1,2,0]"#, operators: ["Transpose"]),
            Kind(kind: .reshape, attributes: #","shape":[2,-1,6]"#, operators: ["Reshape"]),
            Kind(kind: .flatten, operators: ["Flatten"]),
            Kind(kind: .reduceMean, attributes: #","axes":[1,2]"#, operators: ["ReduceMean"]),
            Kind(kind: .reduceSum, attributes: #","axes":[0],"keep":false"#, operators: ["ReduceSum"]),
            Kind(kind: .reduceMax, attributes: #","axes":[2]"#, operators: ["ReduceMax"]),
            Kind(kind: .dropout, attributes: #","rate":0.25"#, operators: ["Dropout"]),
        ]
    }

    @Test func allKindsAreTested() {
        #expect(Set(Kind.all.map(\.kind)) == Set(LayerKind.allCases))
    }

    @Test(arguments: Kind.all)
    func aKindIsWhatItsOperatorsAre(kind: Kind) throws {
        let end = #"{"kind":"linear","name":"end","outputs":2}"#
        let network = try network(
            graph([4, 7, 6], "\(kind.before){\"kind\":\"\(kind.kind.rawValue)\"\(kind.attributes)},\(end)"))
        let before = kind.before.isEmpty ? 0 : 1
        let isVector = network.nodes[network.nodes.count - 2].outputShape.rank == 1
        #expect(
            try saved(network).nodes.dropFirst(before).map(\.operation)
                == kind.operators + (isVector ? ["Gemm"] : ["Flatten", "Gemm"]))
        let rows = (0..<3).map { sines(168, Float($0) / 3) }
        for (found, wanted) in zip(try saved(network, rows), try network.outputs(rows)) { expectClose(found, wanted) }
    }

    /// What takes several operators is one node again when it is read.
    @Test(arguments: [
        (.groupNorm, #","groups":2"#), (.groupNorm, #","groups":4"#), (.groupNorm, #","groups":2,"affine":false"#),
        (.fakeQuantize, #","scale":0.01,"zero":3,"low":-128,"high":127"#), (.gelu, ""), (.silu, ""), (.hardSwish, ""),
    ] as [(LayerKind, String)])
    func whatIsSpelledOutIsReadAsOne(kind: LayerKind, attributes: String) throws {
        let nodes = #"{"kind":"\#(kind.rawValue)"\#(attributes)},{"kind":"linear","name":"end","outputs":2}"#
        try network(graph([4, 7, 6], nodes)).save(onnx: folder["b"])
        let read = try Network.load(onnx: folder["b"])
        #expect(read.nodes.map(\.kind) == [kind, .flatten, .linear] || read.nodes.map(\.kind) == [kind, .linear])
    }

    /// The outputs of the network that its file is read as.
    private func saved(_ network: Network, _ rows: [[Float]]) throws -> [[Float]] {
        try network.save(onnx: folder["b"])
        return try Network.load(onnx: folder["b"]).outputs(rows)
    }

    // MARK: Files

    @Test func weightsHaveTheirNamesAndLayouts() throws {
        let network = try Network(architecture: "lenet5", seed: 3)
        let model = try saved(network)
        #expect(model.opsets == ["": 17])
        #expect(model.inputs.map(\.name) == ["input"] && model.inputs[0].dimensions == [nil, 1, 32, 32])
        #expect(model.outputs.map(\.name) == ["output"] && model.outputs[0].dimensions == [nil, 10])
        #expect(Set(model.initializers.keys) == Set(network.parameters.map(\.name)))
        for parameter in network.parameters {
            let tensor = try #require(model.initializers[parameter.name])
            #expect(tensor.dimensions == parameter.value.shape.dimensions)
            let numbers = try tensor.floats()
            #expect((0..<numbers.count).allSatisfy { numbers[$0] == parameter.value[$0] })
        }
        #expect(model.nodes.map(\.name) == network.nodes.flatMap { $0.name == "fc1" ? ["fc1/Flatten", "fc1"] : [$0.name] })
    }

    @Test(arguments: ["lenet5(units=1)", "mlp-6-5-4", "dafl-generator(latent=3,rows=5,columns=2,width=2,channels=2,units=2)"])
    func theSameNetworkMakesTheSameBytes(architecture: String) throws {
        let network = try Network(architecture: architecture, seed: 1)
        try network.save(onnx: folder["a"])
        try network.copy().save(onnx: folder["b"])
        #expect(folder.bytes(of: "a") == folder.bytes(of: "b"))
        let rows = [sines(network.inputShape.count)]
        expectClose(try saved(network, rows)[0], try network.outputs(rows)[0])
        #expect(folder.names == ["a", "b"])
    }

    @Test func sharedWeightsAreOneTensor() throws {
        let convolution = #""kind":"convolution","outputs":4,"kernel":3,"padding":1"#
        let network = try network(
            graph([4, 5, 5], "{\(convolution),\"name\":\"c\"},{\(convolution),\"name\":\"d\",\"weights_of\":\"c\"}"))
        let model = try saved(network)
        #expect(Set(model.initializers.keys) == ["c.weight", "c.bias"])
        #expect(model.nodes.filter { $0.operation == "Conv" }.map { $0.inputs[1] } == ["c.weight", "c.weight"])
    }

    /// nil is what the graph says.
    @Test(arguments: [
        (Graph.Interface.Head.none, nil, "Gemm"), (.none, true, "Softmax"),
        (.softmax, nil, "Softmax"), (.softmax, false, "Gemm"),
        (.sigmoid, nil, "Sigmoid"), (.sigmoid, true, "Sigmoid"), (.sigmoid, false, "Gemm"),
    ] as [(Graph.Interface.Head, Bool?, String)])
    func heads(head: Graph.Interface.Head, softmax: Bool?, last: String) throws {
        var graph = try Graph(architecture: "mlp-4-3")
        graph.interface.head = head
        let model = try saved(network(graph), softmax: softmax)
        #expect(model.nodes.last?.operation == last)
        #expect(model.nodes.last?.outputs == ["output"])
    }

    @Test func imagesAsTheTeacherTookThem() throws {
        var graph = try graph([3, 6, 5], #"{"kind":"convolution","outputs":2,"kernel":3}"#)
        (graph.interface.isChannelsLast, graph.interface.inputName, graph.interface.outputName) = (true, "pixels", "scores")
        let model = try saved(network(graph))
        #expect(model.inputs.first?.name == "pixels" && model.inputs.first?.dimensions == [nil, 6, 5, 3])
        #expect(model.outputs.first?.name == "scores" && model.outputs.first?.dimensions == [nil, 2, 4, 3])
        #expect(model.nodes.map(\.operation) == ["Transpose", "Conv"])
        #expect(try Network.load(onnx: folder["a"]).graph.interface == graph.interface)
    }

    /// Nodes, weights, input and output may ask for one another's names.
    @Test func namesAreUnique() throws {
        var graph = try graph(
            [2, 3, 3],
            #"{"kind":"relu","name":"output"},{"kind":"convolution","name":"c","outputs":2,"kernel":1},"#
                + #"{"kind":"gelu","name":"c.weight"},{"kind":"relu","name":"c/Erf"},{"kind":"relu","name":"ß \u0001\"é"}"#)
        (graph.interface.inputName, graph.interface.outputName) = ("c", "c")
        let model = try saved(network(graph))
        let tensors = model.inputs.map(\.name) + model.initializers.keys + model.nodes.flatMap(\.outputs)
        #expect(Set(tensors).count == tensors.count)
        #expect(Set(model.nodes.map(\.name)).count == model.nodes.count)
        #expect(model.inputs.first?.name == "c" && model.initializers["c.weight"] != nil)
        #expect(model.outputs.first?.name == model.nodes.last?.outputs.first)
        var known = Set(model.inputs.map(\.name) + model.initializers.keys)
        for node in model.nodes {
            #expect(node.inputs.allSatisfy(known.contains))
            known.formUnion(node.outputs)
        }
    }

    /// The output of an earlier node, which others read too.
    @Test func anOutputThatIsReadKeepsItsReaders() throws {
        let graph = try graph([4], #"{"kind":"abs","name":"a"},{"kind":"reshape","shape":[4]}"#)
        let model = try saved(network(graph))
        #expect(model.nodes.map(\.operation) == ["Abs"] && model.nodes[0].outputs == ["output"])
        let nothing = try saved(network(self.graph([4], #"{"kind":"reshape","shape":[4]}"#)))
        #expect(nothing.nodes.map(\.operation) == ["Identity"] && nothing.nodes[0].inputs == ["input"])
    }

    /// A constant where operators do not broadcast has the batch's size.
    @Test func constantsAreSpread() throws {
        let graph = try graph(
            [4], #"{"kind":"constant","name":"c","inputs":[],"shape":[2]},{"kind":"concat","inputs":["input","c"]}"#)
        #expect(try saved(network(graph)).nodes.map(\.operation) == ["Shape", "Concat", "Expand", "Concat"])
    }

    @Test func whatCannotBeWrittenLeavesNothing() throws {
        let network = try Network(architecture: "mlp-4-3", seed: 0)
        try network.save(onnx: folder["a"])
        let old = folder.bytes(of: "a")
        network.parameters[0].value[1] = .nan
        expectError(.invalidArgument) { try network.save(onnx: folder["a"]) }
        #expect(folder.bytes(of: "a") == old && folder.names == ["a"])
        network.parameters[0].value[1] = 0
        expectError(.io, naming: folder["none/a"]) { try network.save(onnx: folder["none/a"]) }
    }

    /// protobuf.dev's own example, a negative number, and a tensor within a message within another.
    @Test func protobufMessages() throws {
        var inner = ProtobufWriter()
        inner.write(1, 150)
        inner.write(2, -1)
        inner.write(3, "né")
        let tensor = try Tensor([40])
        for i in 0..<40 { tensor[i] = Float(i) }
        var middle = ProtobufWriter()
        middle.write(16, tensor)
        middle.write(1, Float(1.5))
        var outer = ProtobufWriter()
        outer.write(4, inner)
        outer.write(5, middle)
        let file = try UnsafeFileReplacement(path: folder["a"])
        try outer.write(to: file)
        try file.commit()

        let minusOne = [UInt8](repeating: 0xFF, count: 9) + [1]
        let first: [UInt8] = [0x08, 0x96, 0x01, 0x10] + minusOne + [0x1A, 3, 0x6E, 0xC3, 0xA9]
        let numbers = (0..<40).flatMap { littleEndian(Float($0).bitPattern) }
        let second = [0x82, 0x01, 0xA0, 0x01] + numbers + [0x0D] + littleEndian(Float(1.5).bitPattern)
        let length = [UInt8(second.count & 0x7F | 0x80), UInt8(second.count >> 7)]
        let wanted = [0x22, UInt8(first.count)] + first + [0x2A] + length + second
        #expect(folder.bytes(of: "a") == wanted)
        #expect(outer.count == wanted.count)
    }
}
