import Numerics

/// The softmax of a batch of logits, with the memory for it.
package final class Softmax {
    /// p_ik = exp(t_ik / T) / sum_j exp(t_ij / T).
    package let probabilities: Batch
    /// log p_ik, exact where p_ik itself is too small for a float.
    package let logProbabilities: Batch

    package init(samples: Int, classes: Shape) throws {
        probabilities = try Batch(samples: samples, shape: classes)
        logProbabilities = try Batch(samples: samples, shape: classes)
    }

    /// - Parameter temperature: T, above 0.
    package func evaluate(_ logits: Batch, temperature: Float = 1, _ compute: Compute) {
        compute.parallel(logits.blocks) { blocks in
            compute.kernels.softmax(
                logits.pointer, 1 / temperature, probabilities.pointer, logProbabilities.pointer, logits.elements,
                blocks.lowerBound, blocks.upperBound)
        }
    }
}

extension Batch {
    /// The element with the largest number, the first of equals.
    package func argmax(_ sample: Int) -> Int {
        var best = 0
        for k in 1..<max(elements, 1) where self[sample, k] > self[sample, best] { best = k }
        return best
    }
}
