import Networks
import Numerics
import Testing

/// The distance of a batch's statistics to those that batch normalisation kept, and its gradient by the input.
struct StatisticsComparisonTests {
    /// Two normalisations, the first of them with an activation to be fused, between linear layers.
    private func pass(samples: Int, statisticsWeight: Float) throws -> Pass {
        let network = try Network([6]) {
            $0.add(.linear, "l1", ["outputs": 12])
            $0.add(.reshape, ["shape": [3, 2, 2]])
            $0.add(.batchNorm, "bn1")
            $0.add(.leakyReLU, ["slope": 0.2])
            $0.add(.flatten)
            $0.add(.linear, "l2", ["outputs": 5])
            $0.add(.batchNorm, "bn2")
        }
        var random = Philox(seed: 4, stream: .check)
        network.drawParameters(&random)
        let pass = try Pass(
            network, input: Batch(samples: samples, shape: Shape([6])), gradients: .input,
            statisticsWeight: statisticsWeight, Compute(threads: 2))
        random.fillNormal(pass.input)
        return pass
    }

    @Test(arguments: [1, 5, 33], [Float(1), 2.5]) func theGradientIsTheDistancesDerivative(samples: Int, weight: Float) throws {
        let pass = try pass(samples: samples, statisticsWeight: weight)
        pass.forward()
        pass.backward()
        #expect(pass.statisticsDistance > 0)
        let gradient = try #require(pass.inputGradient).rows
        for (sample, element) in [(0, 0), (samples - 1, 5), (samples / 2, 3)] {
            let value = pass.input[sample, element]
            func distance(_ step: Float) -> Double {
                pass.input[sample, element] = value + step
                pass.forward()
                return pass.statisticsDistance
            }
            let difference = (distance(1e-2) - distance(-1e-2)) / 2e-2
            pass.input[sample, element] = value
            let byGradient = Double(gradient[sample * 6 + element]) / Double(weight)
            #expect(abs(byGradient - difference) < 0.02 * abs(difference) + 2e-4, "\(byGradient), not \(difference)")
        }
    }

    @Test func aBatchWithTheKeptStatisticsIsAtNoDistance() throws {
        let network = try Network([2]) { $0.add(.batchNorm, "bn") }
        let pass = try Pass(
            network, input: Batch(samples: 4, shape: Shape([2])), gradients: .input, statisticsWeight: 1,
            Compute(threads: 1))
        for (i, (a, b)) in [(1, 3), (-1, 3), (1, -3), (-1, -3)].enumerated() {
            (pass.input[i, 0], pass.input[i, 1]) = (Float(a), Float(b))
        }
        try #require(network.parameter(named: "bn.running_var")).value[1] = 9
        pass.forward()
        pass.backward()
        #expect(abs(pass.statisticsDistance) < 1e-6)
        try #require(network.parameter(named: "bn.running_mean")).value[0] = 3
        try #require(network.parameter(named: "bn.running_mean")).value[1] = -4
        pass.forward()
        #expect(abs(pass.statisticsDistance - 5) < 1e-6)
    }

    @Test func whoDoesNotAskForItPaysNothing() throws {
        let pass = try pass(samples: 5, statisticsWeight: 0)
        pass.forward()
        pass.backward()
        #expect(pass.statisticsDistance == 0)
        #expect(try #require(pass.inputGradient).rows.allSatisfy { $0 == 0 })
    }
}
