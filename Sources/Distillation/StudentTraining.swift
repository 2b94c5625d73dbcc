import Networks
import Numerics
import Training

/// The student S, which learns to answer as the teacher does: L_KD on one batch after another.
final class StudentTraining {
    let network: Network
    private let pass: Pass
    private let logitsGradient: Batch
    private let loss: DistillationLoss
    private let optimizer: any Optimizer

    init(_ network: Network, _ options: DistillationOptions, _ compute: Compute) throws {
        self.network = network
        pass = try Pass(
            network, input: Batch(samples: options.batchSize, shape: network.inputShape), gradients: .weights, compute)
        loss = try DistillationLoss(
            temperature: Float(options.temperature), samples: options.batchSize, classes: network.outputShape, compute)
        optimizer = try Adam(network.trainedParameters, compute)
        guard let gradient = pass.outputGradient else { preconditionFailure("a pass with gradients has its output's") }
        logitsGradient = gradient
    }

    /// What the student learns from next, to be written before `step`.
    var images: Batch { pass.input }

    /// One step on `images` with the teacher's logits t for them; returns L_KD before it.
    /// - Throws: `diverged` when the loss or, after the step, a weight is not finite.
    func step(teacher t: Batch, learningRate: Double) throws -> Double {
        pass.forward(training: true)  // s = S(x)
        let value = loss.evaluate(teacher: t, student: pass.output, gradient: logitsGradient)  // L_KD
        pass.backward()
        optimizer.step(learningRate: learningRate)
        guard value.isFinite, network.isFinite else {
            throw DaflError(
                .diverged, "the student's weights are no longer finite, its loss was \(value); try a smaller "
                    + "student_learning_rate")
        }
        return value
    }

    /// The share of `images` on which the student names the class that the teacher's logits name.
    func agreement(teacher t: Batch) -> Double {
        pass.forward()
        let agreed = (0..<t.samples).count { pass.output.argmax($0) == t.argmax($0) }
        return Double(agreed) / Double(t.samples)
    }
}
