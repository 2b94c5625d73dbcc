import Networks
import Numerics
import Training

/// The student S, which learns to answer as the teacher does: L_KD on one batch after another.
final class StudentTraining {
    let network: Network
    private let pass: Pass
    private let loss: DistillationLoss
    private let optimizer: any Optimizer

    init(_ network: Network, _ options: DistillationOptions, _ compute: Compute) throws {
        self.network = network
        pass = try Pass(
            network, input: Batch(samples: options.batchSize, shape: network.inputShape), gradients: .weights, compute)
        loss = try DistillationLoss(
            temperature: Float(options.temperature), samples: options.batchSize, classes: network.outputShape, compute)
        optimizer = try Adam(network.trainedParameters, compute)
    }

    /// What the student learns from next, to be written before `step`.
    var images: Batch { pass.input }

    /// One step on `images` with the teacher's logits t for them; returns L_KD before it.
    /// - Throws: `diverged` when the loss is not finite; the weights are as before then.
    func step(teacher t: Batch, learningRate: Double) throws -> Double {
        guard let gradient = pass.outputGradient else { return 0 }
        pass.forward(training: true)  // s = S(x)
        let value = loss.evaluate(teacher: t, student: pass.output, gradient: gradient)  // L_KD
        guard value.isFinite else {
            throw DaflError(.diverged, "the distillation loss became \(value); try a smaller student_learning_rate")
        }
        pass.backward()
        optimizer.step(learningRate: learningRate)
        return value
    }

    /// The share of `images` on which the student names the class that the teacher's logits name.
    func agreement(teacher t: Batch) -> Double {
        pass.forward()
        let agreed = (0..<t.samples).count { pass.output.argmax($0) == t.argmax($0) }
        return Double(agreed) / Double(t.samples)
    }
}
