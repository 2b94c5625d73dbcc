import Glibc
import Networks
import Numerics
import Training

/// L_G of DAFL (Chen et al. 2019, equations 1 to 4): what the teacher makes of n generated images.
///
///     L_G = oh L_oh + a L_a + ie L_ie + r R
///
/// from logits t [n, K] with p_i = softmax(t_i), features f [n, F] and, beyond the paper, a teacher's `ImageRegularizer` R.
package final class GeneratorLoss {
    /// The shares of the losses in L_G.
    package struct Weights: Equatable, Sendable {
        package var oneHot: Double
        package var activation: Double
        package var entropy: Double
        package var regularizer: Double

        package init(oneHot: Double, activation: Double, entropy: Double, regularizer: Double = 1) {
            (self.oneHot, self.activation, self.entropy, self.regularizer) = (oneHot, activation, entropy, regularizer)
        }
    }

    package struct Value {
        /// L_oh = 1/n sum_i CE(t_i, argmax t_i), nats: a real image makes a trained classifier sure.
        package var oneHot = 0.0
        /// L_a = -mean |f|, as in the authors' code: a real image excites the filters. 0 without features.
        package var activation = 0.0
        /// L_ie = -H(mean_i p_i) in log10, as in the authors' code: the classes come out balanced.
        package var entropy = 0.0
        /// R, 0 without one.
        package var regularizer = 0.0
        /// L_G.
        package var total = 0.0

        /// exp H(mean_i p_i): 1 when all images are of one class, K when they are balanced.
        package var effectiveClasses: Double { pow(10, -entropy) }

        mutating func persist(_ archive: Archive) {
            archive.real("one_hot", &oneHot)
            archive.real("activation", &activation)
            archive.real("entropy", &entropy)
            archive.real("regularizer", &regularizer)
            archive.real("total", &total)
        }
    }

    private let weights: Weights
    private let softmax: Softmax
    private let winners: Indices  // argmax t_i
    private let meanProbability: Doubles
    private let logMeanProbability: Doubles  // log10
    private let compute: Compute

    package init(_ weights: Weights, samples: Int, classes: Int, _ compute: Compute) throws {
        self.weights = weights
        softmax = try Softmax(samples: samples, classes: Shape([classes]))
        winners = try Indices(count: samples)
        (meanProbability, logMeanProbability) = (try Doubles(count: classes), try Doubles(count: classes))
        self.compute = compute
    }

    /// Returns the losses but for R, and writes dL_G/dt and dL_G/df where there is a batch for them.
    /// - Parameter average: makes the mean p of a batch that of several, of which this is one.
    /// - Throws: what that throws.
    package func evaluate(
        logits t: Batch, features f: Batch?, logitsGradient: Batch?, featuresGradient: Batch?,
        over average: (Doubles) throws -> Void = { _ in }
    ) throws -> Value {
        softmax.evaluate(t, compute)
        t.argmax(to: winners, compute)
        let oneHot = softmax.crossEntropy(winners.pointer, gradient: nil, compute)
        softmax.meanProbabilities(to: meanProbability, compute)
        try average(meanProbability)
        // p log p is 0 at p = 0: the floor keeps the logarithm finite there.
        for k in 0..<t.elements { logMeanProbability[k] = log10(max(meanProbability[k], 1e-30)) }
        let entropy = (0..<t.elements).reduce(0) { $0 + meanProbability[$1] * logMeanProbability[$1] }
        if let logitsGradient { writeGradient(logitsGradient) }

        let activation = f.map { evaluateActivation($0, gradient: featuresGradient) } ?? 0
        return Value(
            oneHot: oneHot, activation: activation, entropy: entropy,
            total: weights.oneHot * oneHot + weights.activation * activation + weights.entropy * entropy)
    }

    /// By the logits, from what `evaluate` has computed before. The entropy's part is d/dt of sum_k m_k log10 m_k, through the
    /// softmax: p_k (l_k - sum_j p_j l_j) / n with l = log10 m.
    private func writeGradient(_ gradient: Batch) {
        let (n, p) = (gradient.samples, softmax.probabilities)
        compute.parallel(gradient.blocks, of: gradient) { blocks in
            compute.kernels.generator_gradient(
                p.pointer, winners.pointer, logMeanProbability.pointer, weights.oneHot / Double(n), weights.entropy / Double(n),
                gradient.pointer, n, p.elements, blocks.lowerBound, blocks.upperBound)
        }
    }

    /// L_a, and a dL_a/df = -a sign(f) / (n F).
    private func evaluateActivation(_ f: Batch, gradient: Batch?) -> Double {
        let share = 1 / (Double(f.samples) * Double(f.elements))
        let sum = compute.sum(overBlocksOf: f, in: softmax.sums) { blocks, sums in
            compute.kernels.magnitudes(
                f.pointer, Float(-weights.activation * share), gradient?.pointer, f.samples, f.elements, sums,
                blocks.lowerBound, blocks.upperBound)
        }
        return -sum * share
    }
}
