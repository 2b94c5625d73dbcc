import Formats
import Networks
import Numerics
import TestSupport
import Testing

@testable import Compression

@Suite struct QuantisationTests {
    private let compute: Compute
    private let folder: TemporaryFolder
    init() throws {
        compute = try Compute(threads: 1)
        folder = TemporaryFolder()
    }

    /// With a normalisation to fold, a branch, a depthwise convolution, poolings and two linear layers.
    private func network() throws -> Network {
        var graph = Graph("small", input: [2, 8, 8])
        graph.add(.convolution, "conv1", ["outputs": 4, "kernel": 3, "padding": 1, "bias": false])
        graph.add(.batchNorm, "norm1")
        let trunk = graph.add(.relu)
        graph.add(.convolution, "depthwise", ["outputs": 4, "kernel": 3, "padding": 1, "groups": 4])
        graph.add(.relu)
        let branch = graph.add(.convolution, "conv2", ["outputs": 4, "kernel": 1])
        graph.add(.add, inputs: [branch, trunk])
        graph.add(.relu)
        graph.add(.maxPool, ["window": 2])
        graph.add(.flatten)
        graph.add(.linear, "fc1", ["outputs": 6])
        graph.feature = graph.add(.relu)
        graph.add(.linear, "fc2", ["outputs": 3])
        let network = try Network(graph)
        var random = Philox(seed: 1, stream: .weights)
        network.initialise(&random)
        return network
    }

    private let count = 40
    private func images(_ elements: Int) throws -> Tensor {
        let rows = try Tensor([count, elements])
        var random = Philox(seed: 2, stream: .noise)
        for i in 0..<rows.count { rows[i] = random.nextUniform() * 2 - 0.8 }
        return rows
    }

    private func quantised(_ network: Network, images: Bool = true, _ set: (inout Compression) -> Void = { _ in }) throws -> Network {
        let rows = try self.images(network.inputShape.count)
        var compression = Compression()
        compression.int8 = 1
        if images { compression.images = CalibrationImages(rows: UnsafePointer(rows.pointer), count: count) }
        set(&compression)
        return try withExtendedLifetime(rows) { try compression.applied(to: network, compute) }
    }

    private func outputs(_ network: Network) throws -> [Float] {
        let rows = try images(network.inputShape.count)
        let pass = try Pass(network, input: Batch(samples: count, shape: network.inputShape), compute)
        pass.input.load(rows: rows.pointer, compute)
        pass.forward()
        return (0..<count).flatMap { sample in (0..<pass.output.elements).map { pass.output[sample, $0] } }
    }

    private func expectSame(_ a: Network, _ b: Network) {
        #expect(a.graph == b.graph)
        for (mine, theirs) in zip(a.parameters, b.parameters) {
            #expect((0..<mine.value.count).allSatisfy { mine.value[$0] == theirs.value[$0] }, "\(mine.name)")
        }
    }

    @Test("Answers stay close, weights use the whole grid, and every layer reads rounded numbers", arguments: [7, 8])
    func closeAnswers(bits: Int) throws {
        let network = try network(), small = try quantised(network) { $0.weightBits = bits }
        let wanted = try outputs(network), found = try outputs(small)
        let largest = wanted.map(abs).max() ?? 0
        for (a, b) in zip(wanted, found) { #expect(abs(a - b) < 0.05 * largest) }
        #expect(wanted != found)
        let layers = try #require(small.eightBitLayers)
        #expect(Set(layers.keys) == ["conv1", "depthwise", "conv2", "fc1", "fc2"])
        for (name, layer) in layers {
            let weight = try #require(small.parameter(named: "\(name).weight")).value
            let row = weight.count / weight.shape[0]
            for output in 0..<weight.shape[0] {
                let most = (output * row..<(output + 1) * row).map { abs(layer.weights[$0]) }.max()
                #expect(most == (1 << (bits - 1)) - 1)
            }
        }
    }

    @Test("What is in eight bits stays as it is", arguments: [7, 8])
    func idempotent(bits: Int) throws {
        let once = try quantised(network()) { $0.weightBits = bits }
        expectSame(once, try quantised(once) { $0.weightBits = 15 - bits })
        expectSame(once, try quantised(once, images: false))
    }

    @Test("Training moves weights off the grid, and they are put back with the activations' ranges as they were")
    func backOnTheGrid() throws {
        let once = try quantised(network()), moved = try once.copy()
        var random = Philox(seed: 5, stream: .noise)
        for parameter in moved.trainedParameters {
            for i in 0..<parameter.value.count { parameter.value[i] *= 0.9 + 0.2 * random.nextUniform() }
            parameter.value.touch()
        }
        #expect(moved.eightBitLayers == nil)
        let back = try quantised(moved)
        #expect(back.eightBitLayers != nil)
        #expect(back.graph == once.graph)
        let wanted = try outputs(moved), largest = wanted.map(abs).max() ?? 0
        for (a, b) in zip(wanted, try outputs(back)) { #expect(abs(a - b) < 0.05 * largest) }
    }

    @Test("An ONNX file has whole weights between QuantizeLinear and DequantizeLinear, and is read as the same network")
    func onnx() throws {
        let small = try quantised(network())
        try small.save(onnx: folder["small.onnx"])
        let read = try Network.load(onnx: folder["small.onnx"])
        #expect(try outputs(read) == outputs(small))
        #expect(read.eightBitLayers?.count == 5)
        #expect(read.nodes.filter { $0.kind == .fakeQuantize }.count == small.nodes.filter { $0.kind == .fakeQuantize }.count)
        try read.save(onnx: folder["again.onnx"])
        #expect(try outputs(Network.load(onnx: folder["again.onnx"])) == outputs(small))
    }

    @Test("A channel whose weights are nothing beside its bias keeps the bias")
    func deadChannel() throws {
        let network = try network()
        let weight = try #require(network.parameter(named: "conv2.weight")).value
        let bias = try #require(network.parameter(named: "conv2.bias")).value
        for i in 0..<4 { weight[i] = 1e-12 }
        bias[0] = 0.3
        // The scaling between layers would blow them up.
        let small = try quantised(network) { $0.equalisation = 0 }
        #expect(abs((small.parameter(named: "conv2.bias")?.value[0] ?? 0) - 0.3) < 1e-6)
        try small.save(onnx: folder["dead.onnx"])
        for (a, b) in zip(try outputs(small), try outputs(Network.load(onnx: folder["dead.onnx"]))) { #expect(abs(a - b) < 1e-5) }
        expectSame(small, try quantised(small))
    }

    @Test("Equalisation makes the ranges of a channel the same on both sides, and changes no answer")
    func equalisation() throws {
        let network = try network().foldingBatchNorms(), before = try outputs(network)
        CrossLayerEqualisation(network).apply()
        for (a, b) in zip(before, try outputs(network)) { #expect(abs(a - b) < 1e-4) }
        let first = try #require(network.parameter(named: "depthwise.weight")).value
        let second = try #require(network.parameter(named: "conv2.weight")).value
        for channel in 0..<4 {
            let r1 = (0..<9).map { abs(first[channel * 9 + $0]) }.max() ?? 0
            let r2 = (0..<4).map { abs(second[$0 * 4 + channel]) }.max() ?? 0
            #expect(abs(r1 / r2 - 1) < 0.01)
        }
    }

    @Test("A clip in between is left alone: it has no factor to go through")
    func clip() throws {
        var graph = Graph("clipped", input: [4])
        graph.add(.linear, "fc1", ["outputs": 5])
        graph.add(.clip, ["low": 0.0, "high": 6.0])
        graph.add(.linear, "fc2", ["outputs": 3])
        let network = try Network(graph)
        var random = Philox(seed: 1, stream: .weights)
        network.initialise(&random)
        let same = try network.copy()
        CrossLayerEqualisation(network).apply()
        expectSame(network, same)
        #expect(try quantised(network).eightBitLayers?.count == 2)
    }

    @Test("Correction gives outputs the means that they had")
    func biasCorrection() throws {
        let network = try network(), wanted = try outputs(network)
        func shift(_ correction: Int) throws -> Float {
            let found = try outputs(quantised(network) { ($0.biasCorrection, $0.weightBits) = (correction, 7) })
            return (0..<3).map { output in
                abs((0..<count).reduce(0) { $0 + found[$1 * 3 + output] - wanted[$1 * 3 + output] } / Float(count))
            }.max() ?? 0
        }
        #expect(try shift(1) < 1e-4)
        #expect(try shift(0) > 3e-4)
    }

    @Test("A range leaves out what is far from all others, holds 0, and has a step for what is always 0")
    func range() throws {
        /// - Parameter times: how often each of the numbers is there, but for the last.
        func grid(_ numbers: [Float], times: Int = 1) throws -> ActivationGrid {
            let batches = try [numbers.dropLast(), numbers.suffix(1)].map { numbers in
                let batch = try Batch(samples: numbers.count, shape: Shape([1]))
                for (sample, number) in numbers.enumerated() { batch[sample, 0] = number }
                return batch
            }
            var range = ActivationRange()
            for batch in batches { range.widen(by: batch) }
            for _ in 0..<times { range.count(batches[0]) }
            range.count(batches[1])
            return range.grid
        }
        let many = (1...4000).map { Float($0) / 4000 }
        let whole = try grid(many)
        #expect(whole.zero == 0 && abs(whole.scale * 255 - 1) < 0.01)
        #expect(try grid(many + [1.5]).scale * 255 > 1.4)
        #expect(try grid(many + [1.5], times: 100).scale * 255 < 1.1)
        let signed = try grid(many.map { $0 * 2 - 1.5 })
        #expect(abs(signed.zero - 191) <= 2)
        #expect(try grid(many.map { $0 + 3 }).zero == 0)
        #expect(try grid([0, 0]).scale > 0)
    }

    @Test("What cannot be is refused in a sentence")
    func refused() throws {
        func expect(_ status: Status, _ part: String, _ body: () throws -> Void) {
            let error = #expect(throws: DaflError.self) { try body() }
            #expect(error?.status == status && error?.description.contains(part) == true, "\(String(describing: error))")
        }
        expect(.invalidArgument, "images is NULL") { _ = try quantised(network(), images: false) }
        expect(.invalidArgument, "weight_bits is 6") { _ = try quantised(network()) { $0.weightBits = 6 } }
        var graph = Graph("bare", input: [4])
        graph.add(.relu)
        expect(.unsupported, "no linear layer") { _ = try quantised(Network(graph)) }
        graph.add(.linear, "a", ["outputs": 4])
        graph.add(.linear, "b", ["outputs": 4, "weights_of": "a"])
        expect(.unsupported, "share weights") { _ = try quantised(Network(graph)) }
    }
}
