import Numerics

/// L_KD of knowledge distillation (Hinton, Vinyals and Dean 2015), between a teacher's logits t and a student's s, both
/// [n, K]: T^2/n sum_i KL(softmax(t_i / T) || softmax(s_i / T)), in nats.
package final class DistillationLoss {
    private let temperature: Float
    private let teacher: Softmax
    private let student: Softmax
    private let compute: Compute

    package init(temperature: Float, samples: Int, classes: Shape, _ compute: Compute) throws {
        self.temperature = temperature
        teacher = try Softmax(samples: samples, classes: classes)
        student = try Softmax(samples: samples, classes: classes)
        self.compute = compute
    }

    /// Returns L_KD and writes dL_KD/ds = T (softmax(s / T) - softmax(t / T)) / n to `gradient`.
    package func evaluate(teacher t: Batch, student s: Batch, gradient: Batch) -> Double {
        teacher.evaluate(t, temperature: temperature, compute)
        student.evaluate(s, temperature: temperature, compute)
        let n = t.samples
        let divergence = compute.sum(overBlocksOf: t, in: teacher.sums) { blocks, sums in
            compute.kernels.divergence(
                teacher.probabilities.pointer, teacher.logProbabilities.pointer, student.probabilities.pointer,
                student.logProbabilities.pointer, temperature / Float(n), gradient.pointer, n, t.elements, sums,
                blocks.lowerBound, blocks.upperBound)
        }
        return Double(temperature * temperature) * divergence / Double(n)
    }
}
