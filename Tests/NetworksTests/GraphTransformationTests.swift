import Networks
import Numerics
import Testing

/// Batch normalisations put behind convolutions and folded into them, and laws of all named architectures.
@Suite struct GraphTransformationTests {
    static let architectures = [
        "lenet5", "lenet5-half(side=28)", "alexnet-half(side=32,hidden=40)", "vgg11(side=8)", "vgg13(side=8,hidden=10)",
        "vgg16(side=4)", "vgg19(side=4)", "resnet8", "resnet20(side=8)", "resnet20(side=8,projection=1)", "resnet32(side=8)",
        "resnet44(side=8)", "resnet56(side=8)", "resnet18(side=8)", "resnet34(side=4)", "resnet50(stem=7,side=16)", "wrn-10-1(side=8)",
        "wrn-16-2(side=8)", "mobilenet-v1(side=16)", "mobilenet-v2(side=16)", "dscnn", "mlp-12-9-9-4",
    ]

    @Test(arguments: architectures) func namedNetworksKeepTheLaws(architecture: String) throws {
        let graph = try Graph(architecture: architecture)
        let network = try Network(architecture: architecture)
        network.drawQuickly()
        try expectFiniteOutputs(of: network)
        var cost = network.multiplyAdds
        for width in [0.5, 0.25] {
            let student = try Network(graph.scaled(width: width))
            #expect(student.outputShape == network.outputShape)
            #expect(student.multiplyAdds < cost)
            cost = student.multiplyAdds
            student.drawQuickly()
            try expectFiniteOutputs(of: student)
        }
        #expect(try Network(graph.scaled(width: 1, depth: 0.5)).multiplyAdds <= network.multiplyAdds)
        let copy = try network.copy()
        #expect(try copy.outputs().values == network.outputs().values)
    }

    @Test(arguments: architectures) func foldedNetworksHaveTheSameOutputs(architecture: String) throws {
        let network = try Network(Graph(architecture: architecture).restoringBatchNorms())
        try network.drawStatistics()
        let folded = try network.foldingBatchNorms()
        expectClose(try folded.outputs().values, try network.outputs().values, within: 1e-5, architecture)
        if let feature = network.featureShape { #expect(folded.featureShape == feature) }
        // Those that are behind a sum, or a convolution that is read twice, remain.
        let remaining = folded.nodes.filter { $0.layer is BatchNorm }.count
        #expect(remaining == ["wrn-10-1(side=8)": 4, "wrn-16-2(side=8)": 6][architecture] ?? 0)
    }

    @Test func foldingThenRestoringIsTheSameShape() throws {
        let network = try Network(architecture: "resnet20(side=8)", seed: 1)
        let restored = try Network(network.foldingBatchNorms().graph.restoringBatchNorms())
        #expect(restored.parameterCount == network.parameterCount)
        #expect(restored.nodes.count == network.nodes.count)
        #expect(restored.parameter(named: "conv1.bias") == nil)
        #expect(restored.parameter(named: "conv1.norm.weight")?.value.shape.dimensions == [16])
    }

    @Test func normsComeBehindConvolutionsAlone() throws {
        var graph = Graph("test", input: [3, 6, 6])
        let a = graph.add(.convolution, "a", ["outputs": 4, "kernel": 3])
        graph.add(.globalAveragePool)
        graph.add(.convolution, "squeeze", ["outputs": 4, "kernel": 1])
        graph.add(.sigmoid)
        graph.add(.multiply, inputs: [a, graph.last])
        graph.feature = a
        graph.add(.convolution, "shared", ["outputs": 4, "kernel": 1])
        graph.add(.convolution, "sharing", ["outputs": 4, "kernel": 1, "weights_of": "shared"])
        graph.add(.convolution, "last", ["outputs": 4, "kernel": 4])
        graph.add(.flatten)
        let restored = try graph.restoringBatchNorms()
        #expect(restored.nodes.filter { $0.kind == .batchNorm }.map(\.name) == ["a.norm", "shared.norm", "sharing.norm"])
        #expect(restored.feature == "a.norm")
        #expect(restored.nodes.first { $0.kind == .multiply }?.inputs.first == "a.norm")
        let network = try Network(restored)
        #expect(network.parameters.map(\.name).filter { $0.hasSuffix(".bias") && !$0.contains("norm") } == [
            "squeeze.bias", "shared.bias", "last.bias",
        ])
        #expect(try restored.restoringBatchNorms() == restored)
    }

    /// Whose output is read twice, is the feature, or is not by channel.
    @Test func someNormsCannotBeFolded() throws {
        var graph = Graph("test", input: [3, 4, 4])
        graph.add(.convolution, "twice", ["outputs": 4, "kernel": 1])
        graph.add(.batchNorm, "a")
        graph.add(.add, inputs: ["twice", "a"])
        graph.feature = graph.add(.convolution, "feature", ["outputs": 4, "kernel": 1])
        graph.add(.batchNorm, "b")
        graph.add(.linear, "along", ["outputs": 4, "axis": "last"])
        graph.add(.batchNorm, "c")
        graph.add(.linear, "whole", ["outputs": 4, "bias": false])
        graph.add(.batchNorm, "d", ["affine": false])
        let network = try Network(graph)
        try network.drawStatistics()
        let folded = try network.foldingBatchNorms()
        #expect(folded.nodes.filter { $0.layer is BatchNorm }.map(\.name) == ["a", "b", "c"])
        #expect(folded.parameter(named: "whole.bias") != nil)
        expectClose(try folded.outputs().values, try network.outputs().values, within: 1e-5)
    }
}

extension Network {
    /// Weights as for training, and normalisations that do something, as after it.
    fileprivate func drawStatistics() throws {
        drawQuickly()
        var random = Philox(seed: 4, stream: .check)
        let norms = nodes.compactMap { $0.layer as? BatchNorm }
        for norm in norms {
            for i in 0..<norm.runningMean.value.count {
                norm.runningMean.value[i] = 0.1 * random.nextNormal()
                norm.runningVariance.value[i] = 0.5 + random.nextUniform()
                norm.weight?.value[i] = 0.5 + random.nextUniform()
                norm.bias?.value[i] = 0.1 * random.nextNormal()
            }
        }
    }
}
