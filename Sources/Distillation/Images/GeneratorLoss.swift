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
        package var oneHot: Double
        /// L_a = -mean |f|, as in the authors' code: a real image excites the filters. 0 without features.
        package var activation: Double
        /// L_ie = -H(mean_i p_i) in log10, as in the authors' code: the classes come out balanced.
        package var entropy: Double
        /// R, 0 without one.
        package var regularizer = 0.0
        /// L_G.
        package var total: Double

        /// exp H(mean_i p_i): 1 when all images are of one class, K when they are balanced.
        package var effectiveClasses: Double { pow(10, -entropy) }
    }

    private let weights: Weights
    private let softmax: Softmax
    private var meanProbability: [Double]
    private let compute: Compute

    package init(_ weights: Weights, samples: Int, classes: Int, _ compute: Compute) throws {
        self.weights = weights
        softmax = try Softmax(samples: samples, classes: Shape([classes]))
        meanProbability = Array(repeating: 0, count: classes)
        self.compute = compute
    }

    /// Returns the losses but for R, and writes dL_G/dt and dL_G/df where there is a batch for them.
    package func evaluate(
        logits t: Batch, features f: Batch?, logitsGradient: Batch?, featuresGradient: Batch?
    ) -> Value {
        softmax.evaluate(t, compute)
        let (p, logP) = (softmax.probabilities, softmax.logProbabilities)
        let (n, classes) = (t.samples, t.elements)

        var oneHot = 0.0
        for k in 0..<classes { meanProbability[k] = 0 }
        for i in 0..<n {
            oneHot -= Double(logP[i, t.argmax(i)]) / Double(n)
            for k in 0..<classes { meanProbability[k] += Double(p[i, k]) / Double(n) }
        }
        // p log p is 0 at p = 0: the floor keeps the logarithm finite there.
        let entropy = meanProbability.reduce(0) { $0 + $1 * log10(max($1, 1e-30)) }

        if let gradient = logitsGradient {
            for i in 0..<n {
                let target = t.argmax(i)
                // d/dt of sum_k m_k log10 m_k, through the softmax: p_k (l_k - sum_j p_j l_j) / n with l = log10 m.
                var mean = 0.0
                for k in 0..<classes { mean += Double(p[i, k]) * log10(max(meanProbability[k], 1e-30)) }
                for k in 0..<classes {
                    let probability = Double(p[i, k])
                    let byOneHot = probability - (k == target ? 1 : 0)
                    let byEntropy = probability * (log10(max(meanProbability[k], 1e-30)) - mean)
                    gradient[i, k] = Float((weights.oneHot * byOneHot + weights.entropy * byEntropy) / Double(n))
                }
            }
        }

        let activation = f.map { evaluateActivation($0, gradient: featuresGradient) } ?? 0
        return Value(
            oneHot: oneHot, activation: activation, entropy: entropy,
            total: weights.oneHot * oneHot + weights.activation * activation + weights.entropy * entropy)
    }

    /// L_a, and a dL_a/df = -a sign(f) / (n F).
    private func evaluateActivation(_ f: Batch, gradient: Batch?) -> Double {
        let share = 1 / (Double(f.samples) * Double(f.elements))
        let slope = Float(-weights.activation * share)
        var sum = 0.0
        for i in 0..<f.samples {
            for j in 0..<f.elements {
                let value = f[i, j]
                sum += Double(abs(value))
                gradient?[i, j] = value > 0 ? slope : value < 0 ? -slope : 0
            }
        }
        return -sum * share
    }
}
