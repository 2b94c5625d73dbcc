import Formats
import Networks
import Numerics
import TestSupport
import Testing

@Suite struct GraphJSONTests {
    @Test func aGraphComesBackFromItsText() throws {
        var graph = Graph("a \"small\" one", input: [3, 8, 8])
        let stem = graph.add(.convolution, "stem", ["outputs": 4, "kernel": [3, 1], "padding": [1, 0], "bias": false])
        graph.add(.leakyReLU, ["slope": 0.25])
        graph.add(.add, "sum", inputs: [stem, graph.last])
        graph.feature = graph.add(.flatten)
        graph.output = graph.add(.linear, "fc", ["outputs": 10])
        graph.interface.inputName = "pixels"
        graph.interface.isChannelsLast = true
        graph.interface.head = .softmax
        #expect(try Graph(json: graph.json) == graph)
        #expect(try Network(description: graph.json).graph == graph)
    }

    @Test func namesAndInputsMayBeLeftOut() throws {
        let graph = try Graph(
            json: """
                {"input": [2, 4, 4], "nodes": [
                  {"kind": "convolution", "outputs": 3, "kernel": 3},
                  {"kind": "relu"},
                  {"kind": "linear", "name": "fc", "outputs": 2, "inputs": ["relu_1"]}]}
                """)
        let network = try Network(graph)
        #expect(network.parameters.map(\.name) == ["convolution_0.weight", "convolution_0.bias", "fc.weight", "fc.bias"])
        #expect(network.outputShape.dimensions == [2])
    }

    /// Each message begins with the place.
    @Test(arguments: [
        ("{", "the description of a network is not valid JSON"),
        ("[]", "the description is not a JSON object"),
        (#"{"nodes": []}"#, "the description of a network lacks its input"),
        (#"{"input": [1], "nodes": []}"#, "the number of nodes is 0"),
        (#"{"input": [0], "nodes": [{"kind": "relu"}]}"#, "a dimension of shape [0] is 0"),
        (#"{"input": [1], "nodes": [{"kind": "rulu"}]}"#, "nodes[0].kind is \"rulu\""),
        (#"{"input": [1], "nodes": [{"kind": "relu", "slope": 1}]}"#, "nodes[0].slope is no attribute of relu"),
        (#"{"input": [1], "nodes": [{"kind": "linear"}]}"#, "nodes[0] lacks outputs"),
        (#"{"input": [1], "nodes": [{"kind": "linear", "outputs": 0}]}"#, "nodes[0].outputs of linear"),
        (#"{"input": [1], "nodes": [{"kind": "relu"}, {"kind": "linear", "outputs": "3"}]}"#, "nodes[1].outputs of linear"),
        (#"{"input": [1], "nodes": [{"kind": "relu", "inputs": ["b"]}]}"#, "nodes[0].inputs[0] is \"b\""),
        (#"{"input": [1], "nodes": [{"kind": "relu", "name": "a", "inputs": ["a"]}]}"#, "nodes[0].inputs[0] is \"a\""),
        (#"{"input": [1], "nodes": [{"kind": "relu", "name": "a"}, {"kind": "relu", "name": "a"}]}"#, "nodes[1].name is \"a\""),
        (#"{"input": [1], "nodes": [{"kind": "relu", "name": "input"}]}"#, "nodes[0].name is \"input\""),
        (#"{"input": [1], "nodes": [{"kind": "relu"}], "output": "b"}"#, "output is \"b\""),
        (#"{"input": [1], "nodes": [{"kind": "relu"}], "feature": "b"}"#, "feature is \"b\""),
        (#"{"input": [1], "nodes": [{"kind": "relu"}], "features": "b"}"#, "the description has an unknown member \"features\""),
        (#"{"input": [1, 3, 3], "nodes": [{"kind": "convolution", "outputs": 1, "kernel": 3, "stride": 0}]}"#, "nodes[0].stride"),
        (#"{"input": [1, 3, 3], "nodes": [{"kind": "convolution", "outputs": 1, "kernel": 3, "dilation": 0}]}"#, "nodes[0].dilation"),
        (#"{"input": [1, 3, 3], "nodes": [{"kind": "convolution", "outputs": 1, "kernel": [3, 0]}]}"#, "nodes[0].kernel"),
        (#"{"input": [1, 3, 3], "nodes": [{"kind": "leaky_relu", "slope": -1}]}"#, "nodes[0].slope"),
        (#"{"input": [4], "nodes": [{"kind": "linear", "outputs": 4, "name": "a"}, {"kind": "linear", "outputs": 3, "weights_of": "a"}]}"#,
         "nodes[1].weights_of"),
        (#"{"input": [1, 2, 2], "nodes": [{"kind": "max_pool", "window": 3, "name": "pool"}]}"#,
         "nodes[0] of max_pool \"pool\": the input of max pooling is [1, 2, 2]"),
        (#"{"input": [1, 4, 4], "nodes": [{"kind": "average_pool", "window": 2, "padding": 2, "name": "pool"}]}"#,
         "nodes[0], padding of average_pool \"pool\", is [2, 2, 2, 2]"),
        (#"{"input": [1, 4, 4], "nodes": [{"kind": "convolution", "outputs": 1, "kernel": 5, "name": "conv"}]}"#,
         "nodes[0] of convolution \"conv\": the input of conv.weight is [1, 4, 4]"),
        (#"{"input": [3, 4, 4], "nodes": [{"kind": "convolution", "outputs": 2, "kernel": 1, "groups": 2, "name": "conv"}]}"#, "nodes[0]"),
        (#"{"input": [4], "nodes": [{"kind": "tanh"}, {"kind": "relu", "inputs": ["input", "tanh_0"], "name": "both"}]}"#,
         "nodes[1] of relu \"both\": the number of inputs"),
        (#"{"input": [4], "nodes": [{"kind": "reshape", "shape": [3], "name": "view"}]}"#, "nodes[0], shape of reshape \"view\", is [3]"),
        (#"{"input": [4], "nodes": [{"kind": "reshape", "shape": [0, 4], "name": "view"}]}"#, "nodes[0] of reshape \"view\": "),
        (#"{"input": [1, 4, 4], "nodes": [{"kind": "crop", "height": 5, "width": 4, "name": "cut"}]}"#,
         "nodes[0] of crop \"cut\": the input of a crop is [1, 4, 4]"),
        (#"{"input": [4], "nodes": [{"kind": "linear", "outputs": 3, "name": "a"}, {"kind": "add", "inputs": ["a", "input"], "name": "sum"}]}"#,
         "nodes[1]"),
        (#"{"input": [4], "nodes": [{"kind": "linear", "outputs": 4, "weights_of": "b"}]}"#, "nodes[0].weights_of"),
    ])
    func whatIsWrongIsToldWithItsPlace(_ json: String, _ start: String) throws {
        let error = try #require(throws: DaflError.self) { try Network(description: json) }
        #expect(error.status == .invalidArgument)
        #expect(error.description.hasPrefix(start), "\(error.description)")
    }

    @Test func deepTextsAreRefused() {
        let json = #"{"input": "# + String(repeating: "[", count: 100_000) + String(repeating: "]", count: 100_000) + "}"
        #expect(throws: DaflError.self) { try Graph(json: json) }
    }

    @Test func aFileCarriesTheGraph() throws {
        let folder = TemporaryFolder()
        var graph = Graph("mine", input: [1, 4, 4])
        graph.add(.convolution, "conv", ["outputs": 2, "kernel": 3])
        graph.add(.linear, "fc", ["outputs": 3])
        let network = try Network(graph)
        var random = Philox(seed: 3, stream: .weights)
        network.initialise(&random)
        try network.save(path: folder["net.safetensors"])
        let read = try Network.load(path: folder["net.safetensors"])
        #expect(read.graph == graph)
        for (a, b) in zip(read.parameters, network.parameters) {
            #expect((0..<a.value.count).allSatisfy { a.value[$0] == b.value[$0] })
        }
    }
}
