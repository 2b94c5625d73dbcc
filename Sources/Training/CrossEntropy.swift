import Numerics

/// The mean cross entropy of a batch of logits s [n, K] with labels y: -1/n sum_i log softmax(s_i)[y_i], in nats.
package final class CrossEntropy {
    private let softmax: Softmax
    private let compute: Compute

    package init(samples: Int, classes: Shape, _ compute: Compute) throws {
        softmax = try Softmax(samples: samples, classes: classes)
        self.compute = compute
    }

    /// Returns the loss and writes dL/ds = (softmax(s) - onehot(y)) / n to `gradient`.
    /// - Parameter labels: n classes from 0 to K - 1.
    package func evaluate(_ logits: Batch, labels: UnsafePointer<Int>, gradient: Batch) -> Double {
        softmax.evaluate(logits, compute)
        let n = logits.samples
        var loss = 0.0
        for i in 0..<n {
            loss -= Double(softmax.logProbabilities[i, labels[i]])
            for k in 0..<logits.elements {
                gradient[i, k] = (softmax.probabilities[i, k] - (k == labels[i] ? 1 : 0)) / Float(n)
            }
        }
        return loss / Double(n)
    }
}
