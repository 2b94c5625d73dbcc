import Networks
import Numerics
import Testing

@Suite struct BatchNormTests {
    private func pass(
        _ samples: Int, _ shape: [Int], epsilon: Float = 1e-5, momentum: Float = 0.1, gradients: Pass.Gradients = []
    ) throws -> Pass {
        let network = try Network(shape) {
            $0.add(
                .batchNorm, "bn", ["epsilon": .number(Double(epsilon)), "momentum": .number(Double(momentum))])
        }
        return try Pass(
            network, input: Batch(samples: samples, shape: Shape(shape)), gradients: gradients, Compute(threads: 2))
    }

    /// running = (1 - momentum) running + momentum batch, the variance with n - 1 below.
    @Test(arguments: [(2, [3]), (17, [2, 3, 2]), (5, [1, 1, 4])], [Float(0.1), 0.5])
    func runningStatisticsMoveByMomentumTowardsTheUnbiasedOnes(size: (samples: Int, shape: [Int]), momentum: Float)
        throws
    {
        var random = Philox(seed: 1, stream: .check)
        let pass = try pass(size.samples, size.shape, momentum: momentum)
        let count = Double(size.samples * size.shape[1...].reduce(1, *))
        var mean = [Double](repeating: 0, count: size.shape[0])
        var variance = [Double](repeating: 1, count: size.shape[0])
        for _ in 0..<3 {
            let x = Rows(samples: size.samples, size.shape, from: &random).map { Double(Float(2 * $0 + 3)) }
            pass.input.load(try x.batch())
            pass.forward(training: true)
            let batch = Reference.statistics(x)
            for c in mean.indices {
                mean[c] += Double(momentum) * (batch.mean[c] - mean[c])
                variance[c] += Double(momentum) * (batch.variance[c] * count / (count - 1) - variance[c])
            }
        }
        expectClose(try #require(pass.network.parameter(named: "bn.running_mean")).value, mean, within: 1e-6)
        expectClose(try #require(pass.network.parameter(named: "bn.running_var")).value, variance, within: 1e-5)
    }

    @Test func evaluationUsesTheRunningStatisticsAndLeavesThem() throws {
        var random = Philox(seed: 2, stream: .check)
        let pass = try pass(6, [2, 2, 2], epsilon: 0.8)
        let network = pass.network
        network.drawParameters(&random)
        let before = network.parameters.map(\.value.doubles)
        let x = Rows(samples: 6, [2, 2, 2], from: &random)
        pass.input.load(try x.batch())
        pass.forward()
        expectClose(
            pass.output,
            Reference.normalised(
                x, mean: before[2], variance: before[3], epsilon: 0.8, weight: before[0], bias: before[1]),
            within: 1e-6)
        #expect(network.parameters.map(\.value.doubles) == before)
    }

    @Test func trainingLeavesEveryChannelStandardised() throws {
        var random = Philox(seed: 3, stream: .check)
        let pass = try pass(40, [3, 2, 2])
        pass.input.load(try Rows(samples: 40, [3, 2, 2], from: &random).map { 5 * $0 - 20 }.batch())
        pass.forward(training: true)
        let (mean, variance) = Reference.statistics(Rows(pass.output))
        #expect(mean.allSatisfy { abs($0) < 1e-5 })
        #expect(variance.allSatisfy { abs($0 - 1) < 1e-4 })
    }

    /// A single number for each channel has no variance: nothing may become infinite.
    @Test func oneNumberPerChannelStaysFinite() throws {
        let pass = try pass(1, [3], gradients: [.weights, .input])
        pass.input.load(try Rows(samples: 1, [3], [1, -2, 3]).batch())
        pass.forward(training: true)
        pass.outputGradient?.load(try Rows(samples: 1, [3], [1, 1, 1]).batch())
        pass.backward()
        #expect(Rows(pass.output).values == [0, 0, 0])
        #expect(try Rows(#require(pass.inputGradient)).values.allSatisfy { abs($0) < 1e-3 })
        #expect(pass.network.isFinite)
    }
}
