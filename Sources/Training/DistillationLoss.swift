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
        var divergence = 0.0
        for i in 0..<n {
            for k in 0..<t.elements {
                let p = teacher.probabilities[i, k]
                // p log p is 0 at p = 0.
                if p != 0 {
                    divergence += Double(p) * Double(teacher.logProbabilities[i, k] - student.logProbabilities[i, k])
                }
                gradient[i, k] = temperature * (student.probabilities[i, k] - p) / Float(n)
            }
        }
        return Double(temperature * temperature) * divergence / Double(n)
    }
}
