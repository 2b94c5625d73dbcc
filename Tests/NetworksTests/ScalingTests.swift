import Networks
import Numerics
import Testing

@Suite struct ScalingTests {
    @Test func halfOfLeNet5IsLeNet5Half() throws {
        let half = try Graph(architecture: "lenet5").scaled(width: 0.5)
        let expected = try Graph(architecture: "lenet5-half")
        #expect(half.nodes == expected.nodes)
        #expect(half.feature == expected.feature)
    }

    @Test func theWholeIsTheGraphItself() throws {
        for architecture in ["resnet20", "mobilenet-v2", "alexnet(side=32)"] {
            let graph = try Graph(architecture: architecture)
            #expect(try graph.scaled(width: 1) == graph)
        }
    }

    @Test(arguments: [
        ("wrn-16-2", "wrn-16-1"), ("resnet20(width=32)", "resnet20"), ("mobilenet-v1", "mobilenet-v1(multiplier=0.5)"),
    ])
    func halfOfOneIsAnother(whole: String, half: String) throws {
        let scaled = try Network(Graph(architecture: whole).scaled(width: 0.5))
        let expected = try Network(architecture: half)
        // The wide ResNet's stem is as wide whatever the rest.
        let stem = ["conv1", "block1.layer.0"]
        for parameter in scaled.parameters where !stem.contains(where: parameter.name.hasPrefix) {
            let other = expected.parameter(named: parameter.name)
            #expect(parameter.value.shape == other?.value.shape, "\(parameter.name)")
        }
    }

    @Test(arguments: [0, -0.5, 17, .nan, .infinity]) func impossibleWidthsAreRefused(width: Double) throws {
        let graph = try Graph(architecture: "lenet5")
        #expect(throws: DaflError.self) { try graph.scaled(width: width) }
    }

    // MARK: - Kinds that count channels

    /// A graph that computes with channels in some way, and what some attributes are at half the width.
    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let input: [Int]
        let nodes: @Sendable (inout Graph) -> Void
        /// Node and attribute.
        var expected: [(String, String, Attribute)] = []

        init(
            _ description: String, _ input: [Int] = [3, 8, 8], _ nodes: @escaping @Sendable (inout Graph) -> Void
        ) {
            (testDescription, self.input, self.nodes) = (description, input, nodes)
        }

        func atHalf(_ expected: [(String, String, Attribute)]) -> Case {
            var result = self
            result.expected = expected
            return result
        }
    }

    static let cases: [Case] = [
        Case("transposed, between convolutions") { graph in
            graph.add(.convolution, "a", .square(8))
            graph.add(.transposedConvolution, "b", ["outputs": 6, "kernel": 2, "stride": 2])
        }.atHalf([("a", "outputs", 4), ("b", "outputs", 3)]),
        Case("depthwise and its multiplier") { graph in
            graph.add(.convolution, "a", .square(10))
            graph.add(.convolution, "b", .square(20, groups: 10))
            graph.add(.convolution, "c", .square(12))
        }.atHalf([("b", "groups", 5), ("b", "outputs", 10), ("c", "outputs", 6)]),
        Case("groups that stay") { graph in
            graph.add(.convolution, "a", .square(12))
            graph.add(.relu)
            graph.add(.convolution, "b", .square(20, groups: 4))
            graph.add(.convolution, "c", .square(7))
        }.atHalf([("a", "outputs", 8), ("b", "groups", 4), ("b", "outputs", 12), ("c", "outputs", 4)]),
        Case("a sum with what is concatenated") { graph in
            graph.add(.convolution, "a", .square(5))
            graph.add(.convolution, "b", inputs: ["a"], .square(7))
            graph.add(.concat, "both", inputs: ["a", "b"])
            graph.add(.convolution, "c", inputs: ["b"], .square(12))
            graph.add(.add, inputs: ["both", "c"])
        }.atHalf([("a", "outputs", 3), ("b", "outputs", 4), ("c", "outputs", 7)]),
        Case("a sum with the input") { graph in
            graph.add(.convolution, "a", .square(3))
            graph.add(.add, inputs: ["a", Graph.input])
            graph.add(.convolution, "b", .square(8))
        }.atHalf([("a", "outputs", 3), ("b", "outputs", 4)]),
        Case("channels split in two, one half convolved, and shuffled") { graph in
            graph.add(.convolution, "a", .square(16))
            graph.add(.slice, "left", inputs: ["a"], ["axis": 0, "start": 0, "size": 8])
            graph.add(.slice, "right", inputs: ["a"], ["axis": 0, "start": 8, "size": 8])
            graph.add(.convolution, "b", .square(8))
            graph.add(.concat, inputs: ["left", "b"])
            graph.add(.reshape, "split", ["shape": [2, 8, 8, 8]])
            graph.add(.transpose, ["order": [1, 0, 2, 3]])
            graph.add(.reshape, "joined", ["shape": [16, 8, 8]])
            graph.add(.slice, "first", ["axis": 0, "start": 0, "size": 8])
            graph.add(.convolution, "c", .square(4))
        }.atHalf([
            ("a", "outputs", 8), ("right", "start", 4), ("right", "size", 4), ("b", "outputs", 4), ("split", "shape", [2, 4, 8, 8]),
            ("joined", "shape", [8, 8, 8]), ("first", "size", 4),
        ]),
        Case("grouped convolutions with a shuffle in between") { graph in
            graph.add(.convolution, "a", .square(8))
            graph.add(.convolution, "b", .square(40, groups: 4))
            graph.add(.reshape, "split", ["shape": [4, 10, 8, 8]])
            graph.add(.transpose, ["order": [1, 0, 2, 3]])
            graph.add(.reshape, "joined", ["shape": [40, 8, 8]])
            graph.add(.convolution, "c", .square(12, groups: 4))
        }.atHalf([
            ("b", "outputs", 20), ("b", "groups", 4), ("split", "shape", [4, 5, 8, 8]), ("joined", "shape", [20, 8, 8]),
            ("c", "outputs", 8), ("c", "groups", 4),
        ]),
        Case("squeeze and excite, with one number a channel and reshapes") { graph in
            let a = graph.add(.convolution, "a", .square(16))
            graph.add(.reduceMean, ["axes": [1, 2], "keep": false])
            graph.add(.linear, "squeeze", ["outputs": 4])
            graph.add(.relu)
            graph.add(.linear, "excite", ["outputs": 16])
            graph.add(.sigmoid)
            graph.add(.reshape, "gate", ["shape": [16, 1, 1]])
            graph.add(.multiply, inputs: [a, "gate"])
            graph.add(.prelu, "bend", ["count": 16])
        }.atHalf([
            ("a", "outputs", 8), ("squeeze", "outputs", 2), ("excite", "outputs", 8), ("gate", "shape", [8, 1, 1]),
            ("bend", "count", 8),
        ]),
        Case("zeros for new channels") { graph in
            let a = graph.add(.convolution, "a", .square(10))
            graph.add(.convolution, "b", .square(20))
            graph.add(.pad, "zeros", inputs: [a], ["before": [4, 0, 0], "after": [6, 0, 0]])
            graph.add(.add, inputs: ["b", "zeros"])
        }.atHalf([
            ("a", "outputs", 5), ("b", "outputs", 10), ("zeros", "before", [2, 0, 0]), ("zeros", "after", [3, 0, 0]),
        ]),
        Case("padding of the image") { graph in
            graph.add(.convolution, "a", .square(10))
            graph.add(.pad, "zeros", ["before": [0, 1, 1], "after": [0, 2, 2]])
        }.atHalf([("a", "outputs", 5), ("zeros", "before", [0, 1, 1]), ("zeros", "after", [0, 2, 2])]),
        Case("constants by channel, by pixel and for all") { graph in
            graph.add(.convolution, "a", .square(10))
            graph.add(.constant, "channel", inputs: [], ["shape": [10, 1, 1]])
            graph.add(.multiply, inputs: ["a", "channel"])
            graph.add(.constant, "pixel", inputs: [], ["shape": [1, 8, 8]])
            graph.add(.add, inputs: [graph.nodes[2].name, "pixel"])
            graph.add(.constant, "all", inputs: [], ["shape": [1]])
            graph.add(.divide, inputs: [graph.nodes[4].name, "all"])
        }.atHalf([("channel", "shape", [5, 1, 1]), ("pixel", "shape", [1, 8, 8]), ("all", "shape", [1])]),
        Case("groups of a normalisation") { graph in
            graph.add(.convolution, "a", .square(12))
            graph.add(.groupNorm, "norm", ["groups": 4])
        }.atHalf([("a", "outputs", 6), ("norm", "groups", 3)]),
        Case("channels last and back") { graph in
            graph.add(.convolution, "a", .square(10))
            graph.add(.transpose, ["order": [1, 2, 0]])
            graph.add(.reshape, "pixels", ["shape": [64, 10]])
            graph.add(.linear, "mix", ["outputs": 6, "axis": "last"])
            graph.add(.reshape, "image", ["shape": [8, 8, 6]])
            graph.add(.transpose, ["order": [2, 0, 1]])
            graph.add(.convolution, "b", .square(4))
        }.atHalf([("pixels", "shape", [64, 5]), ("mix", "outputs", 3), ("image", "shape", [8, 8, 3])]),
        Case("a vector that becomes an image and is flattened again", [5]) { graph in
            graph.add(.linear, "a", ["outputs": 128])
            graph.add(.reshape, "image", ["shape": [8, 4, 4]])
            graph.add(.convolution, "b", .square(6))
            graph.add(.flatten)
            graph.add(.slice, "three", ["axis": 0, "start": 48, "size": 32])
        }.atHalf([
            ("a", "outputs", 64), ("image", "shape", [4, 4, 4]), ("b", "outputs", 4), ("three", "start", 32),
            ("three", "size", 16),
        ]),
        Case("a map that all channels are multiplied by") { graph in
            let a = graph.add(.convolution, "a", .square(8))
            graph.add(.convolution, "map", .square(1))
            graph.add(.sigmoid)
            graph.add(.multiply, inputs: [a, graph.last])
        }.atHalf([("map", "outputs", 1), ("a", "outputs", 4)]),
        Case("weights that are shared") { graph in
            graph.add(.convolution, "a", .square(8))
            graph.add(.convolution, "b", .square(8))
            graph.add(.convolution, "c", .square(8).merging(["weights_of": "b"]) { $1 })
            graph.add(.convolution, "d", .square(6))
        }.atHalf([("a", "outputs", 4), ("b", "outputs", 4), ("c", "outputs", 4), ("d", "outputs", 3)]),
    ]

    @Test(arguments: cases, [0.25, 0.5, 0.7, 1.5, 3]) func attributesFollow(_ item: Case, width: Double) throws {
        var graph = Graph("test", input: item.input)
        item.nodes(&graph)
        graph.add(.flatten)
        graph.add(.linear, "fc", ["outputs": 5])
        let scaled = try graph.scaled(width: width)
        try expectStudent(scaled, of: graph)
        guard width == 0.5 else { return }
        for (name, attribute, value) in item.expected {
            #expect(scaled.nodes.first { $0.name == name }?.attributes[attribute] == value, "\(name).\(attribute)")
        }
    }

    /// The last convolution of a network without linear layers has the classes as its channels; so have all added to
    /// them.
    @Test func outputsStay() throws {
        var graph = Graph("test", input: [3, 8, 8])
        graph.add(.convolution, "a", .square(12))
        graph.add(.convolution, "b", .square(10))
        graph.add(.convolution, "c", inputs: ["a"], .square(10))
        graph.add(.add, inputs: ["b", "c"])
        graph.add(.batchNorm, "norm")
        graph.add(.globalAveragePool)
        graph.add(.flatten)
        let scaled = try graph.scaled(width: 0.5)
        #expect(scaled.nodes.compactMap { $0.attributes["outputs"] } == [6, 10, 10])
        try expectStudent(scaled, of: graph)
    }

    /// Whatever is connected how: the student is a network, with the same inputs and outputs.
    @Test(arguments: 0..<120) func anyGraphHasStudents(seed: Int) throws {
        var random = Philox(seed: UInt64(seed), stream: .check)
        let graph = try randomGraph(&random)
        for width in [0.1, 0.5, 0.77, 1.3, 2.5] {
            try expectStudent(try graph.scaled(width: width, depth: min(1, width)), of: graph)
        }
    }

    private func expectStudent(_ student: Graph, of teacher: Graph) throws {
        let network = try Network(student)
        #expect(network.inputShape.dimensions == teacher.inputShape)
        #expect(try network.outputShape == Network(teacher).outputShape)
        var random = Philox(seed: 1, stream: .weights)
        network.initialise(&random)
        #expect(try network.outputs(samples: 2).values.count == 2 * network.outputShape.count)
    }

    /// Images of 4 x 4 whose channels are convolved, cut, joined, added and shuffled at random.
    private func randomGraph(_ random: inout Philox) throws -> Graph {
        var graph = Graph("random", input: [2, 4, 4])
        var channels = [Graph.input: 2]
        func pick(_ names: [String]) -> String { names[random.next(below: names.count)] }
        func divisor(of count: Int) -> Int {
            let all = (1...count).filter { count % $0 == 0 }
            return all[random.next(below: all.count)]
        }
        for step in 0..<14 {
            let names = channels.keys.sorted()
            let a = pick(names)
            let count = channels[a] ?? 0
            let name = "n\(step)"
            switch random.next(below: 9) {
            case 0, 1:
                let groups = divisor(of: count)
                channels[name] = groups * (1 + random.next(below: 4))
                graph.add(.convolution, name, inputs: [a], .square(channels[name] ?? 1, groups: groups))
            case 2:
                let b = pick(names)
                channels[name] = count + (channels[b] ?? 0)
                graph.add(.concat, name, inputs: [a, b])
            case 3, 4:
                let b = pick(names.filter { channels[$0] == count || channels[$0] == 1 })
                channels[name] = count
                graph.add(random.next(below: 2) == 0 ? .add : .multiply, name, inputs: [a, b])
            case 5:
                let start = random.next(below: count)
                channels[name] = 1 + random.next(below: count - start)
                graph.add(
                    .slice, name, inputs: [a], ["axis": 0, "start": .integer(start), "size": .integer(channels[name] ?? 1)])
            case 6:
                let (before, after) = (random.next(below: 3), random.next(below: 3))
                channels[name] = count + before + after
                graph.add(.pad, name, inputs: [a], ["before": .integers([before, 0, 0]), "after": .integers([after, 0, 0])])
            case 7:
                let groups = divisor(of: count)
                graph.add(.reshape, "\(name).split", inputs: [a], ["shape": .integers([groups, count / groups, 4, 4])])
                graph.add(.transpose, "\(name).turned", ["order": [1, 0, 2, 3]])
                graph.add(.reshape, name, ["shape": .integers([count, 4, 4])])
                channels[name] = count
            default:
                graph.add(.batchNorm, "\(name).norm", inputs: [a])
                graph.add(.groupNorm, name, ["groups": .integer(divisor(of: count))])
                channels[name] = count
            }
        }
        graph.add(.concat, "all", inputs: channels.keys.sorted())
        graph.add(.flatten)
        graph.add(.linear, "fc", ["outputs": 3])
        return graph
    }

    // MARK: - Depth

    @Test func resNetsLoseBlocks() throws {
        let graph = try Graph(architecture: "resnet56").scaled(width: 1, depth: 0.5)
        // Of 9 blocks that keep their shape in the first stage, and 8 in each other one.
        let inBlocks = graph.nodes.map(\.name).filter { $0.hasPrefix("layer") }
        let blocks = Set(inBlocks.map { $0.split(separator: ".")[..<2].joined(separator: ".") })
        #expect(blocks == Set((0..<5).flatMap { ["layer1.\($0)", "layer2.\($0)", "layer3.\($0)"] }))
        try expectStudent(graph, of: Graph(architecture: "resnet56"))
        #expect(try Network(graph).featureShape?.dimensions == [64])
    }

    @Test(arguments: [
        ("wrn-28-1", 0.5, ["block1.layer.2", "block2.layer.3", "block3.layer.3"], ["block1.layer.1", "block2.layer.1"]),
        ("resnet50", 0.5, ["layer1.2", "layer2.3", "layer3.4"], ["layer1.1", "layer2.2", "layer3.3", "layer4.1"]),
        ("mobilenet-v1", 0.4, ["model.9", "model.10", "model.11"], ["model.7", "model.8", "model.12", "model.13"]),
        ("vgg19", 0.5, ["features.49", "features.36"], ["features.40", "features.43"]),
        ("mlp-9-7-7-7-7-2", 0.5, ["fc4"], ["fc1", "fc2", "fc3", "fc5"]),
    ]) func runsLoseTheirEnds(architecture: String, depth: Double, dropped: [String], kept: [String]) throws {
        let whole = try Graph(architecture: architecture)
        let graph = try whole.scaled(width: 1, depth: depth)
        func has(_ prefix: String) -> Bool { graph.nodes.contains { $0.name == prefix || $0.name.hasPrefix("\(prefix).") } }
        for name in dropped { #expect(!has(name), "\(name)") }
        for name in kept { #expect(has(name), "\(name)") }
        try expectStudent(graph, of: whole)
        #expect(try Network(graph).featureShape == Network(whole).featureShape)
    }

    @Test func nothingIsDroppedWhereNothingRepeats() throws {
        for architecture in ["lenet5", "resnet8", "alexnet(side=32)", "mlp-4-5-6-7"] {
            let graph = try Graph(architecture: architecture)
            var shallow = try graph.scaled(width: 1, depth: 0.01)
            shallow.output = graph.output
            #expect(shallow == graph)
        }
    }

    @Test func constantsComeAlong() throws {
        var graph = Graph("test", input: [1, 4, 4])
        graph.add(.convolution, "a", .square(4))
        graph.add(.constant, "scale", inputs: [], ["shape": [4, 1, 1]])
        graph.add(.multiply, inputs: ["a", "scale"])
        graph.add(.flatten)
        graph.add(.linear, "fc", ["outputs": 2])
        let teacher = try Network(graph)
        for i in 0..<4 { teacher.parameter(named: "scale.value")?.value[i] = Float(i + 1) }
        for (width, expected) in [(0.5, [1.0, 2]), (1.5, [1, 2, 3, 4, 1, 2])] {
            let student = try Network(graph.scaled(width: width))
            student.loadConstants(from: teacher)
            #expect(student.parameter(named: "scale.value")?.value.doubles == expected)
        }
    }
}

extension [String: Attribute] {
    /// Of a 3 x 3 convolution that keeps the image's size.
    fileprivate static func square(_ outputs: Int, groups: Int = 1) -> Self {
        ["outputs": .integer(outputs), "kernel": 3, "padding": 1, "groups": .integer(groups)]
    }
}
