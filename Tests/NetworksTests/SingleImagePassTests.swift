import LaneKernels
import Networks
import Numerics
import Testing

/// One image alone gives what it gives among others.
@Suite struct SingleImagePassTests {
    /// The largest difference between an image alone and the same among two, as a share of the largest output.
    private func difference(_ network: Network, threads: Int = 1, level: Int? = nil) throws -> Float {
        let compute = try Compute(threads: threads, level: level)
        var random = Philox(seed: 9, stream: .noise)
        for parameter in network.parameters where parameter.name.hasSuffix("running_var") {
            for i in 0..<parameter.value.count { parameter.value[i] = 0.5 + random.nextUniform() }
        }
        for parameter in network.parameters where parameter.name.hasSuffix("running_mean") || parameter.value.shape.rank == 1 {
            for i in 0..<parameter.value.count { parameter.value[i] += 0.1 * random.nextNormal() }
        }
        let images = try Batch(samples: 2, shape: network.inputShape)
        random.fillNormal(images)
        let pass = try Pass(network, input: images, compute)
        pass.forward()

        let rows = try Tensor([2, network.inputShape.count])
        images.store(rows: rows.pointer, compute)
        let single = try #require(try SingleImagePass(network, compute))
        let count = network.outputShape.count
        let outputs = try Tensor([count + 1])
        outputs[count] = 42
        var (largest, difference): (Float, Float) = (1e-3, 0)
        for i in 0..<2 {
            single.predict(rows.pointer + i * network.inputShape.count, outputs: outputs.pointer)
            for k in 0..<count {
                largest = max(largest, abs(pass.output[i, k]))
                difference = max(difference, abs(outputs[k] - pass.output[i, k]))
                if outputs[k].isNaN { difference = .infinity }
            }
        }
        #expect(outputs[count] == 42)
        return difference / largest
    }

    static let architectures = [
        "lenet5", "lenet5-half", "lenet5(channels=3,classes=26)", "mlp-784-30-17-10", "mlp-5-3", "mlp-1-2", "dscnn", "resnet8",
        "mobilenet-v1(multiplier=0.25)",
    ]

    @Test(arguments: architectures, 0..<Int(lane_kernels_available()))
    func anImageAloneIsAnImageAmongOthers(architecture: String, level: Int) throws {
        #expect(try difference(Network(architecture: architecture, seed: 4), level: level) < 1e-5)
    }

    @Test(arguments: [
        "alexnet-half(side=40,hidden=20)", "vgg11(side=32)", "resnet8(projection=1)", "resnet20", "resnet18(side=10)", "wrn-10-2",
        "mobilenet-v2(multiplier=0.35,stride=1,side=16)", "mobilenet-v1(multiplier=0.1,rows=20,columns=13)",
        "dafl-generator(width=8)", "dafl-vector-generator", "resnet8(units=3)", "mlp-12-8-3(units=1)",
    ])
    func everyArchitecture(architecture: String) throws {
        #expect(try difference(Network(architecture: architecture, seed: 4), threads: 2) < 2e-5)
    }

    /// Widths around whole vectors, other strides and kernels than LeNet's.
    @Test(arguments: [(7, 3, 2, 2), (12, 5, 3, 1), (36, 5, 2, 3), (37, 3, 3, 2), (45, 7, 2, 2)])
    func anyWidth(side: Int, kernel: Int, window: Int, stride: Int) throws {
        let network = try Network([2, side, side], feature: "pooled") {
            $0.add(.convolution, "a", ["outputs": 5, "kernel": .integer(kernel)])
            $0.add(.leakyReLU, ["slope": 0.2])
            $0.add(.maxPool, "pooled", ["window": .integer(window), "stride": .integer(stride)])
        }
        var random = Philox(seed: 2, stream: .weights)
        network.initialise(&random)
        #expect(try difference(network) < 1e-5)
    }

    /// Convolutions of images and of what other convolutions left, with as many channels as come.
    @Test(arguments: [1, 3, 17, 33], [1, 2, 5])
    func anyConvolution(channels: Int, threads: Int) throws {
        let kinds: [[String: Attribute]] = [
            ["kernel": 3, "padding": 1], ["kernel": 3, "padding": [0, 1, 2, 1], "stride": 2], ["kernel": [1, 4], "padding": [0, 2]],
            ["kernel": 2, "dilation": [2, 3], "padding": [1, 3]], ["kernel": 5, "stride": [3, 1], "padding": 2],
            ["kernel": 1, "stride": 2],
        ]
        for kind in kinds {
            let network = try Network([channels, 13, 12], feature: nil) { graph in
                graph.add(.convolution, "a", kind.merging(["outputs": .integer(channels + 4)]) { $1 })
                graph.add(.batchNorm, "norm")
                graph.add(.prelu, "prelu")
                graph.add(.convolution, "b", ["outputs": .integer(channels), "kernel": 3, "padding": 2])
                graph.add(.clip, ["low": -0.5, "high": 0.5])
                graph.add(
                    .convolution, "c", ["outputs": .integer(channels), "kernel": 3, "padding": 1, "groups": .integer(channels)])
                graph.add(.relu)
                graph.add(.convolution, "d", kind.merging(["outputs": 7]) { $1 })
            }
            var random = Philox(seed: 2, stream: .weights)
            network.initialise(&random)
            #expect(try difference(network, threads: threads) < 1e-5, "\(kind)")
        }
    }

    @Test(arguments: [(12, 8, 2), (12, 8, 4), (48, 96, 3), (32, 64, 2), (6, 18, 6)])
    func groups(inputs: Int, outputs: Int, groups: Int) throws {
        for first in [true, false] {
            let network = try Network([inputs, 9, 7], feature: nil) { graph in
                if !first { graph.add(.convolution, "a", ["outputs": .integer(inputs), "kernel": 1]) }
                graph.add(
                    .convolution, "b",
                    ["outputs": .integer(outputs), "kernel": 3, "padding": 1, "groups": .integer(groups)])
            }
            var random = Philox(seed: 2, stream: .weights)
            network.initialise(&random)
            #expect(try difference(network) < 1e-5)
        }
    }

    /// Branches, and each kind of node that is not a convolution.
    @Test(arguments: [5, 16, 20])
    func anyLayer(channels: Int) throws {
        let flat: [(LayerKind, [String: Attribute])] = [
            (.maxPool, ["window": 3, "stride": 2, "padding": 1]), (.averagePool, ["window": 2, "ceil": true]),
            (.globalMaxPool, [:]), (.reduceMean, ["axes": [1, 2], "keep": false]), (.reduceSum, ["axes": [0]]),
            (.upsample, ["factor": 2]), (.upsample, ["size": [5, 9], "mode": "bilinear"]), (.crop, ["height": 3, "width": 4]),
            (.pad, ["before": [0, 1, 2], "after": [3, 0, 1], "mode": "edge"]), (.slice, ["axis": 0, "start": 1, "size": 3]),
            (.transpose, ["order": [1, 0, 2]]), (.softmax, [:]), (.lrn, ["size": 3]), (.groupNorm, ["groups": .integer(channels)]),
            (.layerNorm, [:]), (.silu, [:]), (.hardSwish, [:]), (.exp, [:]), (.tanh, [:]), (.batchNorm, [:]), (.prelu, ["count": 1]),
            (.dropout, [:]), (.flatten, [:]), (.fakeQuantize, ["scale": 0.1, "low": -128, "high": 127]),
            (.transposedConvolution, ["outputs": 3, "kernel": 2, "stride": 2]), (.linear, ["outputs": 4, "axis": "last"]),
        ]
        for (kind, attributes) in flat {
            for isFirst in [true, false] {
                let network = try Network([channels, 6, 7], feature: nil) { graph in
                    if !isFirst { graph.add(.convolution, "a", ["outputs": .integer(channels), "kernel": 3, "padding": 1]) }
                    graph.add(kind, "subject", attributes)
                    graph.add(.relu)
                }
                var random = Philox(seed: 2, stream: .weights)
                network.initialise(&random)
                #expect(try difference(network, threads: 2) < 1e-5, "\(kind)")
            }
        }
    }

    @Test(arguments: [5, 32]) func branches(channels: Int) throws {
        let network = try Network([3, 8, 10], feature: nil) { graph in
            let width = Attribute.integer(channels)
            let a = graph.add(.convolution, "a", ["outputs": width, "kernel": 3, "padding": 1])
            let b = graph.add(.convolution, "b", inputs: [a], ["outputs": width, "kernel": 3, "padding": 1])
            let c = graph.add(.convolution, "c", inputs: [a], ["outputs": width, "kernel": 1])
            graph.add(.add, inputs: [b, c])
            let sum = graph.add(.relu)
            let twice = graph.add(.add, inputs: [sum, sum])
            let joined = graph.add(.concat, inputs: [twice, a, graph.add(.maxPool, inputs: [a], ["window": 1])])
            // Squeeze and excite.
            let wide = Attribute.integer(3 * channels)
            graph.add(.globalAveragePool, inputs: [joined])
            graph.add(.convolution, "squeeze", ["outputs": 3, "kernel": 1])
            graph.add(.relu)
            graph.add(.convolution, "excite", ["outputs": wide, "kernel": 1])
            let gate = graph.add(.sigmoid)
            let gated = graph.add(.multiply, inputs: [joined, gate])
            // One number for each pixel, one for all, and two inputs that are not as large.
            let mean = graph.add(.reduceMean, inputs: [gated], ["axes": 0])
            let product = graph.add(.multiply, inputs: [mean, gated])
            let number = graph.add(.constant, inputs: [], ["shape": [1]])
            let less = graph.add(.subtract, inputs: [product, number])
            graph.add(.maximum, inputs: [less, graph.add(.negate, inputs: [gate])])
            graph.add(.linear, "fc", ["outputs": 6])
        }
        var random = Philox(seed: 2, stream: .weights)
        network.initialise(&random)
        network.parameters.first { $0.name.hasSuffix("value") }?.value.fill(0.25)
        #expect(try difference(network, threads: 2) < 1e-5)
    }

    /// What is kept of the weights follows all that changes them.
    @Test func weightsThatChange() throws {
        let network = try Network([3, 8, 8], feature: nil) { graph in
            graph.add(.convolution, "a", ["outputs": 20, "kernel": 3, "padding": 1, "bias": false])
            graph.add(.batchNorm, "norm")
            graph.add(.prelu, "prelu")
            graph.add(.linear, "fc", ["outputs": 6])
        }
        let compute = try Compute(threads: 1)
        var random = Philox(seed: 2, stream: .weights)
        network.initialise(&random)
        let images = try Batch(samples: 1, shape: network.inputShape)
        random.fillNormal(images)
        let pass = try Pass(network, input: images, compute)
        let single = try #require(try SingleImagePass(network, compute))
        let (row, outputs) = (try Tensor(network.inputShape), try Tensor([6]))
        images.store(rows: row.pointer, compute)
        var before = [Float](repeating: 0, count: 6)
        func expectNew(_ what: String) {
            pass.forward()
            single.predict(row.pointer, outputs: outputs.pointer)
            let now = (0..<6).map { outputs[$0] }
            #expect(now != before, "\(what)")
            let largest = now.map { abs($0) }.max() ?? 0
            for k in 0..<6 { #expect(abs(now[k] - pass.output[0, k]) < 1e-5 * largest, "\(what)") }
            before = now
        }

        expectNew("the first time")
        network.initialise(&random)
        expectNew("drawn anew")
        for parameter in network.parameters where parameter.allowed == .finite {
            let numbers = (0..<parameter.value.count).map { _ in random.nextNormal() }
            parameter.value.load(numbers)
            expectNew("\(parameter.name) set")
        }
        network.parameters.first { $0.name == "norm.running_var" }?.value.fill(4)
        expectNew("a variance filled")
        try network.estimateStatistics(batches: 2, samples: 4, compute) { random.fillNormal($0) }
        expectNew("statistics estimated")
        let other = try Network(network.graph)
        other.initialise(&random)
        network.load(other)
        expectNew("another's loaded")
        network.parameters[0].value[3] += 1
        network.parameters[0].value.touch()
        expectNew("one of them written")
    }

    /// Places in an image that is mostly padding would not fit 32 bits.
    @Test func anEndlessBorderIsLeftToPass() throws {
        let network = try Network([1, 2, 2], feature: nil) {
            $0.add(.convolution, "a", ["outputs": 1, "kernel": 1, "padding": 40_000, "stride": 40_001])
        }
        #expect(try SingleImagePass(network, Compute(threads: 1)) == nil)
    }
}
