import Networks
import Numerics
import Testing

@Suite struct DropoutTests {
    private static func dropout(_ rate: Attribute) throws -> Network {
        try Network([7, 40, 9]) {
            $0.add(.negate)
            $0.add(.dropout, ["rate": rate])
        }
    }

    private static func batch(_ network: Network, _ stream: Philox.Stream) throws -> Batch {
        let batch = try Batch(samples: 18, shape: network.inputShape)
        var random = Philox(seed: 1, stream: stream)
        random.fillNormal(batch)
        return batch
    }

    /// As often as its rate says, divided by what is left, and the gradient goes where the numbers went.
    @Test(arguments: [0.25, 0.5, 0.75]) func itDropsAndScalesAndSoDoesItsGradient(rate: Double) throws {
        let network = try Self.dropout(.number(rate))
        let (x, dy) = (try Self.batch(network, .check), try Self.batch(network, .noise))
        var outputs: [[Double]] = []
        for threads in [1, 3] {
            let pass = try Pass(
                network, input: x, gradients: .input, masks: DropoutMasks(seed: 5), Compute(threads: threads))
            pass.outputGradient?.load(dy)
            pass.forward(training: true)
            pass.backward()
            let (y, dx) = (Rows(pass.output).values, Rows(try #require(pass.inputGradient)).values)
            let factor = Float(1 / (1 - rate))
            let (inputs, directions) = (Rows(x).values, Rows(dy).values)
            for i in y.indices {
                let kept = y[i] == 0 ? 0 : factor
                guard y[i] == Double(-Float(inputs[i]) * kept), dx[i] == Double(-Float(directions[i]) * kept) else {
                    Issue.record("\(inputs[i]) becomes \(y[i]), \(directions[i]) becomes \(dx[i])")
                    return
                }
            }
            let share = Double(y.count { $0 == 0 }) / Double(y.count)
            #expect(abs(share - rate) < 0.01)
            outputs.append(y)
        }
        #expect(outputs[0] == outputs[1])
    }

    /// Masks differ from one layer, pass and seed to the next, and come again from the same place.
    @Test func masksAreDrawnInTurn() throws {
        let network = try Self.dropout(0.5)
        let x = try Self.batch(network, .check)
        let masks = DropoutMasks(seed: 5)
        let pass = try Pass(network, input: x, gradients: .input, masks: masks, Compute(threads: 2))
        func output() -> [Double] {
            pass.forward(training: true)
            return Rows(pass.output).values
        }
        let first = output()
        #expect(output() != first)
        masks.drawn = 0
        #expect(output() == first)
        let other = try Pass(network, input: x, masks: DropoutMasks(seed: 6), Compute(threads: 2))
        other.forward(training: true)
        #expect(Rows(other.output).values != first)
    }

    /// Of a whole network with a mask that stays, against finite differences.
    @Test func gradientsOfWeightsAreSlopesUnderTheMask() throws {
        let network = try Network([6]) {
            $0.add(.linear, "fc1", ["outputs": 40])
            $0.add(.dropout, ["rate": 0.4])
            $0.add(.linear, "fc2", ["outputs": 3])
            $0.add(.dropout, ["rate": 0.1])
        }
        var random = Philox(seed: 2, stream: .check)
        network.initialise(&random)
        let (x, masks) = (try Self.batch(network, .check), DropoutMasks(seed: 3))
        let pass = try Pass(network, input: x, gradients: .weights, masks: masks, Compute(threads: 1))
        let direction = try #require(pass.outputGradient)
        random.fillNormal(direction)
        func loss() -> Double {
            masks.drawn = 0
            pass.forward(training: true)
            return zip(Rows(pass.output).values, Rows(direction).values).reduce(0) { $0 + $1.0 * $1.1 }
        }
        _ = loss()
        pass.backward()
        let weight = try #require(network.parameter(named: "fc1.weight"))
        let gradient = try #require(weight.gradient).doubles
        for i in stride(from: 0, to: weight.value.count, by: 7) {
            let value = weight.value[i]
            weight.value[i] = value + 0.1
            let above = loss()
            weight.value[i] = value - 0.1
            let below = loss()
            weight.value[i] = value
            #expect(abs((above - below) / 0.2 - gradient[i]) < 1e-3)
        }
    }

    /// In inference, and in training that does not ask for it.
    @Test func elsewhereItDoesNothing() throws {
        let network = try Self.dropout(0.5)
        let x = try Self.batch(network, .check)
        let asked = try Pass(network, input: x, gradients: .input, masks: DropoutMasks(seed: 5), Compute(threads: 1))
        let unasked = try Pass(network, input: x, gradients: .input, Compute(threads: 1))
        let expected = Rows(x).values.map { -$0 }
        for (pass, training) in [(asked, false), (unasked, true), (unasked, false)] {
            pass.forward(training: training)
            #expect(Rows(pass.output).values == expected)
            let direction = try Self.batch(network, .noise)
            pass.outputGradient?.load(direction)
            pass.backward()
            #expect(Rows(try #require(pass.inputGradient)).values == Rows(direction).values.map { -$0 })
        }
    }
}
