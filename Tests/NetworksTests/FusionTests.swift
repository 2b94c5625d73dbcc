import LaneKernels
import Numerics
import Testing

@testable import Networks

/// Two layers fused compute what they compute one after the other.
@Suite struct FusionTests {
    static let levels = 0..<Int(lane_kernels_available())

    @Test(arguments: levels)
    func batchNormWithLeakyReLU(level: Int) throws {
        for (samples, shape) in [(1, [1, 2, 2]), (17, [3, 5, 4]), (48, [7, 1, 1]), (5, [2, 17, 19])] {
            let norm = try #require(layer(.batchNorm, ["epsilon": 0.3], of: [shape]) as? BatchNorm)
            for training in [true, false] {
                try check(norm, LeakyReLU(slope: 0.2), samples, shape, level, training: training)
            }
        }
    }

    @Test(arguments: levels)
    func reluWithMaxPooling(level: Int) throws {
        for (samples, shape, window, stride) in [
            (1, [1, 2, 2], 2, 2), (20, [3, 7, 8], 2, 2), (16, [2, 9, 9], 3, 3), (33, [1, 8, 7], 3, 2), (5, [2, 9, 8], 2, 3),
        ] {
            try check(
                LeakyReLU(slope: 0), pooling(.maxPool, window, stride: stride), samples, shape, level, training: true)
        }
    }

    @Test(arguments: levels)
    func upsamplingWithConvolution(level: Int) throws {
        let convolution = try layer(.convolution, ["outputs": 7, "kernel": 3, "padding": 1], of: [[6, 10, 6]])
        try check(Upsampling(factor: 2), convolution, 19, [6, 5, 3], level, training: true)
    }

    @Test func layersThatDoNotFitStayApart() throws {
        let compute = try Compute(threads: 1)
        #expect(try LeakyReLU(slope: 0.1).fused(with: pooling(.maxPool, 2), compute) == nil)
        #expect(try LeakyReLU(slope: 0).fused(with: pooling(.averagePool, 2), compute) == nil)
        let convolution = try layer(.convolution, ["outputs": 7, "kernel": 3, "padding": 1], of: [[6, 9, 9]])
        #expect(Upsampling(factor: 3).fused(with: convolution, compute) == nil)
        #expect(Upsampling(factor: 2).fused(with: convolution, try Compute(threads: 1, usesWinograd: false)) == nil)
        let strided = try layer(.convolution, ["outputs": 7, "kernel": 3, "stride": 2, "padding": 1], of: [[6, 9, 9]])
        #expect(Upsampling(factor: 2).fused(with: strided, compute) == nil)
    }

    @Test func aFeatureIsNeverFusedAway() throws {
        let compute = try Compute(threads: 1)
        let network = try Network(architecture: "lenet5-half", seed: 1)
        let feature = try #require(network.featureNode)
        let steps = FusedStep.steps(of: network, compute)
        #expect(steps.contains { $0.node == feature })
        #expect(steps.count == network.nodes.count - 2)  // ReLU and pooling, twice
    }

    /// A whole network, every gradient, with fused Winograd and without.
    @Test(arguments: [1, 3])
    func theGeneratorIsTheSameFusedAndDirect(threads: Int) throws {
        let network = try Network(architecture: "dafl-generator(width=12,side=20,latent=9,channels=3)", seed: 5)
        var results: [[[Float]]] = []
        for usesWinograd in [true, false] {
            let compute = try Compute(threads: threads, usesWinograd: usesWinograd)
            let input = try Batch(samples: 35, shape: network.inputShape)
            var random = Philox(seed: 4, stream: .check)
            random.fillNormal(input)
            let pass = try Pass(network, input: input, gradients: [.weights, .input], compute)
            pass.forward(training: true)
            random.fillNormal(try #require(pass.outputGradient))
            pass.backward()
            results.append(
                [pass.output.rows, try #require(pass.inputGradient).rows]
                    + network.trainedParameters.compactMap { $0.gradient?.numbers })
        }
        // Loose, because a LeakyReLU whose input is next to zero may bend either way.
        for (fused, direct) in zip(results[0], results[1]) { #expect(distance(fused, direct) < 3e-3) }
    }

    private func pooling(_ kind: LayerKind, _ window: Int, stride: Int? = nil) throws -> any Layer {
        try layer(kind, ["window": .integer(window), "stride": .integer(stride ?? window)], of: [[1, 9, 9]])
    }

    /// Forward and backward through both layers, apart and fused.
    private func check(
        _ first: any FusibleLayer, _ second: any Layer, _ samples: Int, _ dimensions: [Int], _ level: Int, training: Bool
    ) throws {
        let compute = try Compute(threads: 2, level: level)
        let fused = try #require(first.fused(with: second, compute))
        let shape = try Shape(dimensions)
        var random = Philox(seed: 11, stream: .check)
        for parameter in first.parameters + second.parameters {
            for i in 0..<parameter.value.count { parameter.value[i] = 0.5 + random.nextUniform() }
        }
        let saved = (first.parameters + second.parameters).map { $0.value.numbers }
        var results: [[[Float]]] = []
        for layers in [[first, second], [fused]] {
            for (parameter, numbers) in zip(first.parameters + second.parameters, saved) { parameter.value.load(numbers) }
            var random = Philox(seed: 12, stream: .check)
            var slots: [Slot] = []
            for i in 0...layers.count {
                let shape = try layers[..<i].reduce(shape) { try $1.outputShape([$0]) }
                slots.append(
                    Slot(value: try Batch(samples: samples, shape: shape), gradient: try Batch(samples: samples, shape: shape)))
            }
            random.fillNormal(slots[0].value)
            random.fillNormal(try #require(slots[layers.count].gradient))
            let operations = try layers.enumerated().map { index, layer in
                try layer.plan(
                    Site(
                        inputs: [slots[index]], output: slots[index + 1], samples: samples, trains: true,
                        statisticsWeight: 0, compute: compute))
            }
            for operation in operations { operation.forward(training: training) }
            for operation in operations.reversed() { operation.backward() }
            results.append(
                [slots[layers.count].value.rows, try #require(slots[0].gradient).rows]
                    + (first.parameters + second.parameters).flatMap { [$0.value.numbers, $0.gradient?.numbers ?? []] })
        }
        for (apart, together) in zip(results[0], results[1]) {
            #expect(distance(together, apart) < 2e-5, "\(first) and \(second), \(samples) of \(shape)")
        }
    }

    private func distance(_ a: [Float], _ b: [Float]) -> Float {
        let scale = b.reduce(1) { max($0, abs($1)) }
        return zip(a, b).reduce(0) { ($1.0.isFinite ? max($0, abs($1.0 - $1.1)) : .infinity) } / scale
    }
}
