import Glibc
import Numerics
import Testing

@testable import Distillation

/// The losses are the paper's formulas, and their gradients are the losses' derivatives.
struct GeneratorLossTests {
    private let compute: Compute

    init() throws {
        compute = try Compute(threads: 1)
    }

    private struct Case {
        let logits: [[Double]]
        let features: [[Double]]
        let weights: GeneratorLoss.Weights

        init(samples: Int, classes: Int, features: Int, seed: UInt64) {
            var random = Philox(seed: seed, stream: .check)
            func rows(_ count: Int) -> [[Double]] {
                (0..<samples).map { _ in (0..<count).map { _ in 2 * Double(random.nextNormal()) } }
            }
            logits = rows(classes)
            self.features = rows(features)
            weights = GeneratorLoss.Weights(oneHot: 0.7, activation: 0.3, entropy: 4)
        }
    }

    /// The method's definitions, written out.
    private static func formulas(
        _ t: [[Double]], _ f: [[Double]], _ weights: GeneratorLoss.Weights
    ) -> (oneHot: Double, activation: Double, entropy: Double, total: Double) {
        let n = Double(t.count)
        let p = t.map { row in
            let exponentials = row.map { exp($0) }
            return exponentials.map { $0 / exponentials.reduce(0, +) }
        }
        let oneHot = -p.reduce(0) { $0 + log($1.max() ?? 0) } / n
        let magnitudes = f.flatMap { $0 }.map(abs)
        let activation = magnitudes.isEmpty ? 0 : -magnitudes.reduce(0, +) / Double(magnitudes.count)
        let mean = t[0].indices.map { k in p.reduce(0) { $0 + $1[k] } / n }
        let entropy = mean.reduce(0) { $0 + $1 * log10($1) }
        return (
            oneHot, activation, entropy,
            weights.oneHot * oneHot + weights.activation * activation + weights.entropy * entropy
        )
    }

    private func batch(_ rows: [[Double]]) throws -> Batch {
        let batch = try Batch(samples: rows.count, shape: Shape([rows[0].count]))
        for (i, row) in rows.enumerated() { for (k, number) in row.enumerated() { batch[i, k] = Float(number) } }
        return batch
    }

    @Test(arguments: [(1, 2, 1), (5, 3, 4), (17, 10, 120), (33, 26, 3)])
    func valuesAndGradients(samples: Int, classes: Int, features: Int) throws {
        let example = Case(samples: samples, classes: classes, features: features, seed: UInt64(samples))
        let (t, f) = (try batch(example.logits), try batch(example.features))
        let (dt, df) = (try Batch(samples: samples, shape: t.shape), try Batch(samples: samples, shape: f.shape))
        let loss = try GeneratorLoss(example.weights, samples: samples, classes: classes, compute)
        let value = try loss.evaluate(logits: t, features: f, logitsGradient: dt, featuresGradient: df)

        let expected = Self.formulas(example.logits, example.features, example.weights)
        #expect(abs(value.oneHot - expected.oneHot) < 1e-5)
        #expect(abs(value.activation - expected.activation) < 1e-5)
        #expect(abs(value.entropy - expected.entropy) < 1e-5)
        #expect(abs(value.total - expected.total) < 1e-5)

        let step = 1e-5
        for i in [0, samples - 1] {
            for k in 0..<classes {
                var (ahead, behind) = (example.logits, example.logits)
                ahead[i][k] += step
                behind[i][k] -= step
                let slope =
                    (Self.formulas(ahead, example.features, example.weights).total
                        - Self.formulas(behind, example.features, example.weights).total) / (2 * step)
                #expect(abs(Double(dt[i, k]) - slope) < 1e-6, "logit \(k) of image \(i): \(dt[i, k]), not \(slope)")
            }
            for j in 0..<features {
                let sign = example.features[i][j] > 0 ? 1.0 : -1.0
                let slope = -0.3 * sign / Double(samples * features)
                #expect(abs(Double(df[i, j]) - slope) < 1e-6)
            }
        }
    }

    @Test func aCollapsedGeneratorGivesFiniteNumbers() throws {
        let rows = [[Double]](repeating: [500, -500, -500], count: 4)
        let t = try batch(rows)
        let dt = try Batch(samples: 4, shape: t.shape)
        let loss = try GeneratorLoss(
            GeneratorLoss.Weights(oneHot: 1, activation: 1, entropy: 5), samples: 4, classes: 3, compute)
        let value = try loss.evaluate(logits: t, features: nil, logitsGradient: dt, featuresGradient: nil)
        #expect(abs(value.effectiveClasses - 1) < 1e-6)
        #expect(value.total.isFinite && dt.firstNotFinite == nil)
    }

    @Test func balancedImagesAreOfAllClasses() throws {
        let t = try batch([[9, 0, 0, 0], [0, 9, 0, 0], [0, 0, 9, 0], [0, 0, 0, 9]])
        let loss = try GeneratorLoss(
            GeneratorLoss.Weights(oneHot: 1, activation: 1, entropy: 5), samples: 4, classes: 4, compute)
        let value = try loss.evaluate(logits: t, features: nil, logitsGradient: nil, featuresGradient: nil)
        #expect(abs(value.effectiveClasses - 4) < 1e-4)
    }
}
