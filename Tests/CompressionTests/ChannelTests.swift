import Networks
import Numerics
import Testing

@testable import Compression

/// Channels taken out of networks: `ChannelPruning` and `ChannelMerging`.
@Suite struct ChannelTests {
    /// Of a layer's outputs, the second half is made the first times a factor, as far as weights and bias go.
    private func double(_ layer: String, of network: Network, factor: Float = 1) throws {
        for name in ["weight", "bias"] {
            let tensor = try #require(network.parameter(named: "\(layer).\(name)")).value
            let half = tensor.count / 2
            for i in 0..<half { tensor[half + i] = tensor[i] * factor }
        }
    }

    private func expectSame(_ a: Network, _ b: Network) throws {
        for (a, b) in zip(try outputs(a), try outputs(b)) { #expect(abs(a - b) < 1e-4) }
    }

    /// Convolutions, a flattened image, linear layers.
    private let layers = ["conv1", "conv2", "conv3", "fc1"]

    @Test("Layers of which each channel is there twice are halved without a loss, by merging and by pruning")
    func twins() throws {
        let network = try network("lenet5")
        for layer in layers where network.parameter(named: "\(layer).weight") != nil { try double(layer, of: network) }
        let merged = try compressed(network) { $0.merge = 0.5 }
        let pruned = try compressed(network) { $0.channels = 0.5 }
        for smaller in [merged, pruned] {
            #expect(smaller.parameterCount < network.parameterCount / 3)
        }
        try expectSame(network, merged)
    }

    @Test("A channel that is a multiple of another is found again in it, behind ReLU, pooling and flattening")
    func multiples() throws {
        var graph = Graph("one", input: [2, 9, 9])
        graph.add(.convolution, "conv", ["outputs": 6, "kernel": 3])
        graph.add(.relu)
        graph.add(.maxPool, ["window": 2])
        graph.add(.flatten)
        graph.add(.linear, "fc", ["outputs": 4])
        let network = try Network(graph)
        var random = Philox(seed: 1, stream: .weights)
        network.initialise(&random)
        try double("conv", of: network, factor: 0.5)
        let pruned = try compressed(network) { $0.channels = 0.5 }
        #expect(pruned.parameter(named: "conv.weight")?.value.shape.dimensions == [3, 2, 3, 3])
        #expect(pruned.parameter(named: "fc.weight")?.value.shape.dimensions == [4, 27])
        try expectSame(network, pruned)
    }

    @Test("Where activations are no multiples, a channel has no successor of another size")
    func sigmoids() throws {
        var graph = Graph("one", input: [5])
        graph.add(.linear, "a", ["outputs": 4])
        graph.add(.sigmoid)
        graph.add(.linear, "b", ["outputs": 3])
        let network = try Network(graph)
        var random = Philox(seed: 1, stream: .weights)
        network.initialise(&random)
        try double("a", of: network)
        try expectSame(network, compressed(network) { $0.merge = 0.5 })
        let pruned = try compressed(network) { $0.channels = 0.5 }
        let (whole, rest) = (try #require(network.parameter(named: "b.weight")).value, try #require(pruned.parameter(named: "b.weight")).value)
        let all = Set((0..<whole.count).map { whole[$0] })
        #expect((0..<rest.count).allSatisfy { all.contains(rest[$0]) })
    }

    @Test("Merging goes by the pair of the least saliency, and one that took over can be taken over")
    func order() throws {
        let network = try neurons([1, 1.1, 3, 10], [1, 2, 4, 0.01])
        // s = mean(a_j^2) d^2: 0 into 1 has 0.01, 3 into 2 has 0.0049, and goes first.
        let three = try compressed(network) { $0.merge = 0.25 }
        #expect((0..<3).map { three.parameters[1].value[$0] } == [1, 2, 4.01])
        let two = try compressed(network) { $0.merge = 0.5 }
        #expect((0..<2).map { two.parameters[0].value[$0] } == [1.1, 3])
        #expect((0..<2).map { two.parameters[1].value[$0] } == [3, 4.01])
        let one = try compressed(network) { $0.merge = 1 }
        #expect(one.parameters[0].value.count == 1 && abs(one.parameters[1].value[0] - 7.01) < 1e-5)
    }

    @Test("The knee is where a curve is twice as high as the line through its first half, and merging ends there")
    func knee() throws {
        #expect(ChannelMerging.knee(of: [0, 0, 0, 0, 10]) == 4)
        #expect(ChannelMerging.knee(of: [1, 2, 3, 4, 5, 6, 40, 90]) == 6)
        // One that falls counts as the one before it.
        #expect(ChannelMerging.knee(of: [1, 1, 0, 1, 8]) == 4)
        #expect(ChannelMerging.knee(of: [3, 3, 3]) == 0)
        #expect(ChannelMerging.knee(of: [5]) == 0 && ChannelMerging.knee(of: []) == 0)
        // 1 and 1.1 are much alike, and 10 counts next to nothing: saliencies of 0.0049, 0.01 and 32.
        let network = try neurons([1, 1.1, 3, 10], [1, 2, 4, 0.01])
        let merged = try compressed(network) { $0.mergeKnee = 1 }
        #expect((0..<merged.parameters[0].value.count).map { merged.parameters[0].value[$0] } == [1.1, 3])
        let error = #expect(throws: DaflError.self) { try compressed(network) { ($0.merge, $0.mergeKnee) = (0.5, 1) } }
        #expect(error?.description.contains("merge_knee") == true)
    }

    /// One number through neurons with these weights to one number.
    private func neurons(_ incoming: [Float], _ outgoing: [Float]) throws -> Network {
        var graph = Graph("one", input: [1])
        graph.add(.linear, "a", ["outputs": .integer(incoming.count), "bias": false])
        graph.add(.relu)
        graph.add(.linear, "b", ["outputs": 1, "bias": false])
        let network = try Network(graph)
        for (i, value) in incoming.enumerated() { network.parameters[0].value[i] = value }
        for (i, value) in outgoing.enumerated() { network.parameters[1].value[i] = value }
        return network
    }

    @Test("Residual, depthwise and batch-normalised networks become smaller and run", arguments: ["resnet8", "dscnn"])
    func architectures(name: String) throws {
        let network = try network(name)
        let pruned = try compressed(network) { $0.channels = 0.5 }
        #expect(pruned.multiplyAdds < network.multiplyAdds / 2)
        #expect(try outputs(pruned).allSatisfy { $0.isFinite })
        // All channels: nothing but the folding.
        try expectSame(network, compressed(network) { $0.channels = 1 })
    }

    @Test("What cannot be is refused in a sentence")
    func refused() throws {
        #expect(throws: DaflError.self) { try compressed(network("mlp-4-3")) { $0.channels = 0.5 } }
        #expect(throws: DaflError.self) { try compressed(network("mlp-4-3-2")) { $0.merge = -0.1 } }
    }
}

/// Channels chosen by images: `ChannelSelection`.
@Suite struct ChannelSelectionTests {
    @Test("A network whose channels are sums of half of them loses nothing, on images as those that it saw")
    func sums() throws {
        var graph = Graph("one", input: [2, 6, 6])
        graph.add(.convolution, "a", ["outputs": 4, "kernel": 3])
        graph.add(.flatten)
        graph.add(.linear, "b", ["outputs": 5])
        let network = try Network(graph)
        var random = Philox(seed: 1, stream: .weights)
        network.initialise(&random)
        let (weight, bias) = (network.parameters[0].value, network.parameters[1].value)
        for i in 0..<18 {
            weight[36 + i] = weight[i] - 2 * weight[18 + i]
            weight[54 + i] = weight[i] + weight[18 + i]
        }
        (bias[2], bias[3]) = (bias[0] + 0.5, bias[1])
        let images = try Tensor([256, 72])
        for i in 0..<images.count { images[i] = random.nextNormal() }
        var compression = Compression()
        compression.channels = 0.5
        compression.images = CalibrationImages(rows: images.pointer, count: 256)
        let smaller = try compression.applied(to: network, Compute(threads: 1))
        #expect(smaller.parameter(named: "a.weight")?.value.shape.dimensions == [2, 2, 3, 3])
        for (a, b) in zip(try outputs(network), try outputs(smaller)) { #expect(abs(a - b) < 1e-2) }
        // The same in units of its own, for images in these.
        let units = try InputUnits(mean: 100, deviation: 50)
        let pixels = try Tensor([256, 72])
        for i in 0..<images.count { pixels[i] = 100 + 50 * images[i] }
        compression.images = CalibrationImages(rows: pixels.pointer, count: 256)
        let ofPixels = try compression.applied(to: network.copy(units: units), Compute(threads: 1))
        #expect(ofPixels.inputUnits?.mean.value[0] == 100)
        for (a, b) in zip(try outputs(network.copy(units: units)), try outputs(ofPixels)) { #expect(abs(a - b) < 1e-2) }
        // Fewer images than weights leave what they say nothing of, and a last batch counts that is not whole.
        compression.channels = 1
        for count in [1, 70] {
            compression.images = CalibrationImages(rows: images.pointer, count: count)
            for (a, b) in zip(try outputs(network), try outputs(compression.applied(to: network, Compute(threads: 1)))) {
                #expect(abs(a - b) < 1e-3)
            }
        }
        compression.channels = 0.5
        // Not so by weights alone, which know no sums.
        compression.images = nil
        let blind = try compression.applied(to: network, Compute(threads: 1))
        #expect(zip(try outputs(network), try outputs(blind)).contains { abs($0 - $1) > 1e-2 })
    }
}

extension ChannelTests {
    /// Two runs of the same channels, of which the eighth is as far from the first of its own run as from that of the next.
    @Test("A channel that is read twice is taken over in each run by the same one of that run")
    func runs() throws {
        var graph = Graph("twice", input: [3, 5, 5])
        graph.add(.convolution, "a", ["outputs": 8, "kernel": 3])
        graph.add(.relu, "r")
        graph.add(.tanh, "t", inputs: ["a"])
        graph.add(.concat, "both", inputs: ["r", "t"])
        graph.add(.flatten)
        graph.add(.linear, "fc", ["outputs": 4])
        let network = try Network(graph)
        var random = Philox(seed: 1, stream: .weights)
        network.initialise(&random)
        let (weight, bias) = (network.parameters[0].value, network.parameters[1].value)
        for i in 0..<27 { weight[7 * 27 + i] = weight[i] }
        bias[7] = bias[0]
        let merged = try compressed(network) { $0.merge = 0.125 }
        #expect(merged.parameters[0].value.shape[0] == 7)
        for (a, b) in zip(try outputs(network), try outputs(merged)) { #expect(abs(a - b) < 1e-5) }
    }

    @Test("Layers that make something of all channels together are refused", arguments: [LayerKind.lrn, .softmax])
    func mixing(kind: LayerKind) throws {
        var graph = Graph("mixing", input: [3, 5, 5])
        graph.add(.convolution, "a", ["outputs": 8, "kernel": 3])
        graph.add(kind, "m", kind == .lrn ? ["size": 3] : [:])
        graph.add(.flatten)
        graph.add(.linear, "fc", ["outputs": 4])
        let network = try Network(graph)
        let error = #expect(throws: DaflError.self) { try compressed(network) { $0.merge = 0.5 } }
        #expect(error?.status == .unsupported && error?.description.contains("\"m\"") == true)
    }
}
