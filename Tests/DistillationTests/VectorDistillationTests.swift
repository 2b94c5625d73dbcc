import Networks
import Numerics
import Testing
import Training

@testable import Distillation

/// Students of teachers of vectors know what they were never shown.
struct VectorDistillationTests {
    /// Standardised points around centres of their own, one for each class.
    private struct Clusters {
        let rows: [Float]
        let labels: [Int64]

        init(inputs: Int, classes: Int, count: Int, seed: UInt64) {
            var places = Philox(seed: 7, stream: .check)
            let centres = (0..<classes).map { _ in (0..<inputs).map { _ in 0.8 * places.nextNormal() } }
            var random = Philox(seed: seed, stream: .noise)
            let labels = (0..<count).map { $0 % classes }
            rows = labels.flatMap { label in centres[label].map { $0 + 0.6 * random.nextNormal() } }
            self.labels = labels.map { Int64($0) }
        }
    }

    @Test(arguments: [(6, 2), (13, 3)]) func theStudentAgreesOnFreshData(inputs: Int, classes: Int) throws {
        let compute = try Compute(threads: 1)
        let data = Clusters(inputs: inputs, classes: classes, count: 600, seed: 1)
        let fresh = Clusters(inputs: inputs, classes: classes, count: 600, seed: 2)
        let teacher = try Network(architecture: "mlp-\(inputs)-24-\(classes)", seed: 1)
        var training = SupervisedTraining()
        (training.epochs, training.batchSize, training.learningRate) = (20, 32, 0.01)
        try training.train(teacher, rows: data.rows, labels: data.labels, count: 600, compute) { _, _ in }

        var logits = [Float](repeating: 0, count: 600 * classes)
        try Predictor(teacher, compute).predict(rows: fresh.rows, count: 600, outputs: &logits)
        let answers = (0..<600).map { i in Int64((0..<classes).max { logits[i * classes + $0] < logits[i * classes + $1] } ?? 0) }
        let largest = (0..<Int64(classes)).map { label in answers.count { $0 == label } }.max() ?? 600
        #expect(largest <= 360)

        var options = Preset.fast.options
        options.student = "mlp-\(inputs)-12-\(classes)"
        (options.threads, options.steps, options.batchSize, options.replayCapacity) = (1, 100, 64, 4096)
        let distillation = try Distillation(teacher: NetworkTeacher(teacher), options)
        func agreement() throws -> Double {
            try Predictor(distillation.student, compute).accuracy(rows: fresh.rows, labels: answers, count: 600)
        }
        #expect(try agreement() < 0.8)
        for _ in 0..<100 { try distillation.step() }
        #expect(try agreement() >= 0.95)
    }
}
