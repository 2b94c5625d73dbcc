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
        return softmax.crossEntropy(labels, gradient: gradient, compute)
    }
}

extension Softmax {
    /// -1/n sum_i log p_i[y_i] of what was evaluated last, and its gradient (p - onehot(y)) / n by the logits over T, if there is
    /// to be one.
    /// - Parameter labels: y, n classes.
    package func crossEntropy(_ labels: UnsafePointer<Int>, gradient: Batch?, _ compute: Compute) -> Double {
        let n = probabilities.samples
        let loss = compute.sum(overBlocksOf: probabilities, in: sums) { blocks, sums in
            compute.kernels.cross_entropy(
                probabilities.pointer, logProbabilities.pointer, labels, gradient?.pointer, n, probabilities.elements, sums,
                blocks.lowerBound, blocks.upperBound)
        }
        return loss / Double(n)
    }
}
