import Numerics

/// The softmax of a batch of logits, with the memory for it.
package final class Softmax {
    /// p_ik = exp(t_ik / T) / sum_j exp(t_ij / T).
    package let probabilities: Batch
    /// log p_ik, exact where p_ik itself is too small for a float.
    package let logProbabilities: Batch
    /// Of each block, for losses.
    package let sums: Doubles

    package init(samples: Int, classes: Shape) throws {
        sums = try Doubles(count: Batch.blocks(of: samples))
        probabilities = try Batch(samples: samples, shape: classes)
        logProbabilities = try Batch(samples: samples, shape: classes)
    }

    /// - Parameter temperature: T, above 0.
    package func evaluate(_ logits: Batch, temperature: Float = 1, _ compute: Compute) {
        compute.parallel(logits.blocks, of: logits) { blocks in
            compute.kernels.softmax(
                logits.pointer, 1 / temperature, probabilities.pointer, logProbabilities.pointer, logits.elements,
                blocks.lowerBound, blocks.upperBound)
        }
    }
}

extension Softmax {
    /// 1/n sum_i p_i of what was evaluated last, all of the samples there is memory for.
    package func meanProbabilities(to means: Doubles, _ compute: Compute) {
        let (n, classes) = (probabilities.samples, probabilities.elements)
        precondition(means.count == classes)
        compute.parallel(classes, of: probabilities) { range in
            compute.kernels.element_sums(
                probabilities.pointer, n, classes, means.pointer, range.lowerBound, range.upperBound)
        }
        for k in 0..<classes { means[k] /= Double(n) }
    }
}

extension Batch {
    /// The element with the largest number, the first of equals.
    package func argmax(_ sample: Int) -> Int {
        var best = 0
        for k in 1..<max(elements, 1) where self[sample, k] > self[sample, best] { best = k }
        return best
    }

    /// The same of every sample, written to `places` [samples]. A single number is the logit of the second of two classes.
    package func argmax(to places: Indices, _ compute: Compute) {
        precondition(places.count == samples)
        if elements == 1 {
            for i in 0..<samples { places[i] = self[i, 0] > 0 ? 1 : 0 }
            return
        }
        compute.parallel(blocks, of: self) { range in
            compute.kernels.argmax(pointer, places.pointer, samples, elements, range.lowerBound, range.upperBound)
        }
    }
}

extension Tensor {
    /// In rows [n, K]: the place of a row's largest number, the first of equals.
    package func argmax(row: Int) -> Int {
        let start = row * shape[1]
        var best = 0
        for k in 1..<shape[1] where self[start + k] > self[start + best] { best = k }
        return best
    }
}
