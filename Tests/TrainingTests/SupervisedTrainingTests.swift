import Networks
import Numerics
import Testing
import Training

@Suite struct SupervisedTrainingTests {
    /// Points around three corners far apart: no trouble for a network that learns.
    struct Problem {
        let rows: [Float]
        let labels: [Int64]
        var count: Int { labels.count }

        init(count: Int, seed: UInt64) {
            var random = Philox(seed: seed, stream: .check)
            labels = (0..<count).map { Int64($0 % 3) }
            rows = labels.flatMap { label in
                (0..<3).map { 0.3 * random.nextNormal() + ($0 == Int(label) ? 2 : 0) }
            }
        }
    }

    private func training(_ change: (inout SupervisedTraining) -> Void = { _ in }) -> SupervisedTraining {
        var training = SupervisedTraining()
        training.epochs = 8
        training.batchSize = 32
        training.learningRate = 0.02
        change(&training)
        return training
    }

    private func train(
        _ training: SupervisedTraining, _ problem: Problem, architecture: String = "mlp-3-16-3", threads: Int = 2
    ) throws -> (network: Network, losses: [Double]) {
        let network = try Network(architecture: architecture, seed: 1)
        var losses: [Double] = []
        try training.train(
            network, rows: problem.rows, labels: problem.labels, count: problem.count, Compute(threads: threads)
        ) { epoch, loss in
            #expect(epoch == losses.count + 1)
            losses.append(loss)
        }
        return (network, losses)
    }

    private func weights(_ network: Network) -> [[UInt32]] {
        network.parameters.map { parameter in (0..<parameter.value.count).map { parameter.value[$0].bitPattern } }
    }

    @Test(arguments: OptimizerKind.allCases, Schedule.allCases) func aSeparableProblemIsLearned(
        optimizer: OptimizerKind, schedule: Schedule
    ) throws {
        let (problem, unseen) = (Problem(count: 120, seed: 1), Problem(count: 60, seed: 2))
        let training = training {
            $0.optimizer = optimizer
            $0.schedule = schedule
            $0.learningRate = 0.05
        }
        let (network, losses) = try train(training, problem)
        #expect(losses.count == 8)
        #expect(losses[7] < losses[0] / 3)
        let accuracy = try Predictor(network, Compute(threads: 1)).accuracy(
            rows: unseen.rows, labels: unseen.labels, count: unseen.count)
        #expect(accuracy > 0.95)
    }

    @Test(arguments: [1, 3]) func theSameSeedGivesTheSameBits(threads: Int) throws {
        let problem = Problem(count: 100, seed: 1)
        let (first, second) = (
            try train(training(), problem, threads: threads), try train(training(), problem, threads: threads)
        )
        #expect(weights(first.network) == weights(second.network))
        #expect(first.losses == second.losses)
        #expect(
            weights(first.network) != weights(try train(training { $0.seed = 7 }, problem, threads: threads).network))
    }

    /// Every image counts once in an epoch, also those left over: with a rate of zero the mean loss is the whole set's.
    @Test(arguments: [1, 16, 32, 50, 99, 100, 101, 1000]) func imagesLeftOverAreTrainedOn(batchSize: Int) throws {
        let problem = Problem(count: 100, seed: 3)
        let settings = training {
            $0.batchSize = batchSize
            $0.epochs = 2
            $0.learningRate = 0
        }
        let (network, losses) = try train(settings, problem)
        var logits = [Float](repeating: 0, count: 300)
        let compute = try Compute(threads: 1)
        try Predictor(network, compute).predict(rows: problem.rows, count: 100, outputs: &logits)
        let rows = (0..<100).map { i in (0..<3).map { Double(logits[3 * i + $0]) } }
        let expected = try CrossEntropy(samples: 100, classes: Shape([3]), compute).evaluate(
            batch(rows), labels: problem.labels.map { Int($0) }, gradient: Batch(samples: 100, shape: Shape([3])))
        #expect(losses.count == 2)
        for loss in losses { #expect(abs(loss - expected) < 1e-5) }
        #expect(weights(network) == weights(try Network(architecture: "mlp-3-16-3", seed: 1)))
    }

    /// One step of plain gradient descent on the whole set is w - rate dL/dw.
    @Test func aStepGoesAgainstTheGradientOfTheMeanLoss() throws {
        let problem = Problem(count: 20, seed: 4)
        let settings = training {
            $0.optimizer = .sgd
            $0.epochs = 1
            $0.learningRate = 0.5
            $0.momentum = 0
        }
        let before = try Network(architecture: "mlp-3-3", seed: 1)
        let after = try train(settings, problem, architecture: "mlp-3-3").network
        // A linear classifier's gradient by W[o, i] is the mean of (p_o - y_o) x_i.
        let compute = try Compute(threads: 1)
        var logits = [Float](repeating: 0, count: 60)
        try Predictor(before, compute).predict(rows: problem.rows, count: 20, outputs: &logits)
        let softmax = try Softmax(samples: 20, classes: Shape([3]))
        softmax.evaluate(
            try batch((0..<20).map { i in (0..<3).map { Double(logits[3 * i + $0]) } }), compute)
        for o in 0..<3 {
            for i in 0..<3 {
                let slope = (0..<20).reduce(0.0) { sum, n in
                    let error = softmax.probabilities[n, o] - (problem.labels[n] == Int64(o) ? 1 : 0)
                    return sum + Double(error * problem.rows[3 * n + i]) / 20
                }
                let moved = after.parameters[0].value[3 * o + i] - before.parameters[0].value[3 * o + i]
                #expect(abs(Double(moved) + 0.5 * slope) < 1e-6)
            }
        }
    }

    @Test func aLossThatIsNotFiniteIsDiverged() throws {
        let settings = training {
            $0.optimizer = .sgd
            $0.learningRate = 1e30
        }
        let error = #expect(throws: DaflError.self) { try train(settings, Problem(count: 96, seed: 1)) }
        #expect(error?.status == .diverged)
        #expect(error?.description.contains("epoch 1") == true)
    }

    @Test func whatTheCallerThrowsEndsTheTraining() throws {
        let network = try Network(architecture: "mlp-3-3", seed: 1)
        let problem = Problem(count: 30, seed: 1)
        var epochs = 0
        let stop = #expect(throws: CallbackStop.self) {
            try training().train(
                network, rows: problem.rows, labels: problem.labels, count: 30, Compute(threads: 1)
            ) { epoch, _ in
                epochs = epoch
                if epoch == 3 { throw CallbackStop(code: 42, callback: "on_epoch") }
            }
        }
        #expect(stop?.code == 42)
        #expect(epochs == 3)
    }

    /// Training is what running statistics come from.
    @Test func batchNormLearnsItsRunningStatisticsOnTheWay() throws {
        var graph = Graph("test", input: [3])
        graph.add(.batchNorm, "bn")
        graph.add(.linear, "fc", ["outputs": 3])
        let network = try Network(graph)
        let problem = Problem(count: 90, seed: 6)
        try training { $0.epochs = 30 }.train(
            network, rows: problem.rows, labels: problem.labels, count: 90, Compute(threads: 1)
        ) { _, _ in }
        // A third of the numbers of each column lie around 2, the others around 0.
        let mean = try #require(network.parameter(named: "bn.running_mean")).value
        #expect((0..<3).allSatisfy { abs(mean[$0] - 2 / 3) < 0.2 })
    }

    @Test func convolutionalNetworksLearn() throws {
        var random = Philox(seed: 5, stream: .check)
        let labels = (0..<24).map { Int64($0 % 2) }
        // Bright above, or bright below.
        let rows: [Float] = labels.flatMap { label in
            (0..<1024).map { (($0 < 512) == (label == 0) ? 1 : 0) + 0.1 * random.nextNormal() }
        }
        let network = try Network(architecture: "lenet5-half(classes=2)", seed: 1)
        let compute = try Compute(threads: 2)
        let settings = training {
            $0.epochs = 4
            $0.batchSize = 8
            $0.learningRate = 3e-3
        }
        try settings.train(network, rows: rows, labels: labels, count: 24, compute) { _, _ in }
        #expect(try Predictor(network, compute).accuracy(rows: rows, labels: labels, count: 24) == 1)
    }
}
