import Networks
import Numerics
import Testing
import Training

@Suite struct PredictionTests {
    /// Around the size of a batch, in which prediction goes through the rows.
    @Test(arguments: [1, 17, 255, 256, 257, 600]) func predictionsAreTheRowsOwn(count: Int) throws {
        let network = try Network(architecture: "mlp-4-6-3", seed: 1)
        let compute = try Compute(threads: 2)
        var random = Philox(seed: 1, stream: .check)
        let rows = (0..<count * 4).map { _ in random.nextNormal() }
        var outputs = [Float](repeating: .nan, count: count * 3 + 1)
        try Predictor(network, compute).predict(rows: rows, count: count, outputs: &outputs)
        #expect(outputs[count * 3].isNaN)  // nothing is written past the end
        for i in [0, count / 2, count - 1] {
            var alone = [Float](repeating: .nan, count: 3)
            try Predictor(network, compute).predict(rows: Array(rows[4 * i..<4 * i + 4]), count: 1, outputs: &alone)
            for k in 0..<3 { #expect(abs(outputs[3 * i + k] - alone[k]) < 1e-6) }
        }
    }

    @Test(arguments: [1, 16, 300]) func accuracyIsTheShareOfHits(count: Int) throws {
        let network = try Network(architecture: "mlp-3-3", seed: 1)
        // The identity: the largest input is the largest output.
        for i in 0..<9 { network.parameters[0].value[i] = i % 4 == 0 ? 1 : 0 }
        network.parameters[1].value.fill(0)
        let rows = (0..<count).flatMap { i in (0..<3).map { Float($0 == i % 3 ? 1 : 0) } }
        let right = (0..<count).map { Int64($0 % 3) }
        let compute = try Compute(threads: 2)
        func accuracy(_ labels: [Int64]) throws -> Double {
            try Predictor(network, compute).accuracy(rows: rows, labels: labels, count: count)
        }
        #expect(try accuracy(right) == 1)
        #expect(try accuracy(right.map { ($0 + 1) % 3 }) == 0)
        var oneWrong = right
        oneWrong[count - 1] = (oneWrong[count - 1] + 1) % 3
        #expect(try abs(accuracy(oneWrong) - Double(count - 1) / Double(count)) < 1e-12)
        #expect(try accuracy([Int64](repeating: -1, count: count)) == 0)
    }

    /// Prediction uses the running statistics and leaves them.
    @Test func predictionDoesNotTrain() throws {
        let network = try Network(architecture: "dafl-generator(width=4,side=8,latent=3)", seed: 1)
        let compute = try Compute(threads: 1)
        let before = network.parameters.map { parameter in (0..<parameter.value.count).map { parameter.value[$0] } }
        var outputs = [Float](repeating: 0, count: 2 * 64)
        try Predictor(network, compute).predict(rows: [1, 2, 3, 4, 5, 6], count: 2, outputs: &outputs)
        let after = network.parameters.map { parameter in (0..<parameter.value.count).map { parameter.value[$0] } }
        #expect(before == after)
    }
}
