import Numerics

/// The mean cross entropy of a batch of logits s [n, K] with labels y: -1/n sum_i log softmax(s_i)[y_i], in nats.
package final class CrossEntropy {
    private let softmax: Softmax
    /// (0, z) of single logits z, those of the second of two classes, and the gradient by them.
    private let pairs: (logits: Batch, gradient: Batch)?
    private let compute: Compute

    package init(samples: Int, classes: Shape, _ compute: Compute) throws {
        let isSingle = classes.count == 1
        let shape = isSingle ? try Shape([2]) : classes
        softmax = try Softmax(samples: samples, classes: shape)
        pairs = isSingle ? (try Batch(samples: samples, shape: shape), try Batch(samples: samples, shape: shape)) : nil
        self.compute = compute
    }

    /// Returns the loss and writes dL/ds = (softmax(s) - onehot(y)) / n to `gradient`.
    /// - Parameter labels: n classes from 0 to K - 1, or 0 and 1 of a single logit.
    package func evaluate(_ logits: Batch, labels: UnsafePointer<Int>, gradient: Batch) -> Double {
        guard let pairs else {
            softmax.evaluate(logits, compute)
            return softmax.crossEntropy(labels, gradient: gradient, compute)
        }
        for i in 0..<logits.samples { pairs.logits[i, 1] = logits[i, 0] }
        softmax.evaluate(pairs.logits, compute)
        let loss = softmax.crossEntropy(labels, gradient: pairs.gradient, compute)
        for i in 0..<logits.samples { gradient[i, 0] = pairs.gradient[i, 1] }
        return loss
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
