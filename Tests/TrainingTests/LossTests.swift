import Glibc
import Numerics
import Testing
import Training

@Suite struct LossTests {
    static let sizes = [(1, 2), (5, 3), (16, 10), (19, 7)]

    private func logSoftmax(_ row: [Double], temperature: Double = 1) -> [Double] {
        let scaled = row.map { $0 / temperature }
        let top = scaled.max() ?? 0
        let logTotal = log(scaled.reduce(0) { $0 + exp($1 - top) })
        return scaled.map { $0 - top - logTotal }
    }

    @Test(arguments: sizes, [1.0, 0.5, 4]) func softmaxIsTheDefinition(
        size: (samples: Int, classes: Int), temperature: Double
    ) throws {
        var random = Philox(seed: 1, stream: .check)
        let logits = randomRows(size.samples, size.classes, &random, scale: 3)
        let softmax = try Softmax(samples: size.samples, classes: Shape([size.classes]))
        softmax.evaluate(try batch(logits), temperature: Float(temperature), try Compute(threads: 2))
        for (i, row) in logits.enumerated() {
            let expected = logSoftmax(row, temperature: temperature)
            #expect(distance(softmax.logProbabilities.rows[i], expected) < 1e-6)
            #expect(distance(softmax.probabilities.rows[i], expected.map { exp($0) }) < 2e-6)
        }
    }

    /// The first of equals, as everywhere.
    @Test func argmaxIsTheFirstLargest() throws {
        let rows = try batch([[1, 5, 5], [7, 2, 7], [-3, -2, -1], [0, 0, 0]])
        #expect((0..<4).map { rows.argmax($0) } == [1, 0, 2, 0])
        #expect(try batch([[4]]).argmax(0) == 0)
    }

    @Test(arguments: sizes) func crossEntropyIsTheDefinitionAndItsGradientTheSlope(samples: Int, classes: Int) throws {
        var random = Philox(seed: 2, stream: .check)
        let logits = randomRows(samples, classes, &random, scale: 2)
        let labels = (0..<samples).map { _ in random.next(below: classes) }
        func loss(_ rows: [[Double]]) -> Double {
            -zip(rows, labels).reduce(0) { $0 + logSoftmax($1.0)[$1.1] } / Double(samples)
        }
        let entropy = try CrossEntropy(samples: samples, classes: Shape([classes]), Compute(threads: 2))
        let gradient = try Batch(samples: samples, shape: Shape([classes]))
        let value = entropy.evaluate(try batch(logits), labels: labels, gradient: gradient)
        #expect(abs(value - loss(logits)) < 1e-6)
        #expect(distance(gradient.rows.flatMap { $0 }, slopes(of: loss, at: logits).flatMap { $0 }) < 1e-5)
        #expect(gradient.hasZeroUnusedLanes)
    }

    @Test func aSingleLogitIsThatOfTheSecondOfTwoClasses() throws {
        let (single, pairs) = ([[0.5], [-2], [3.0]], [[0, 0.5], [0, -2], [0, 3.0]])
        let labels = [1, 1, 0]
        let compute = try Compute(threads: 1)
        let gradient = try Batch(samples: 3, shape: Shape([1]))
        let value = try CrossEntropy(samples: 3, classes: Shape([1]), compute).evaluate(
            try batch(single), labels: labels, gradient: gradient)
        let byPairs = try Batch(samples: 3, shape: Shape([2]))
        let expected = try CrossEntropy(samples: 3, classes: Shape([2]), compute).evaluate(
            try batch(pairs), labels: labels, gradient: byPairs)
        #expect(value == expected && value > 1)
        #expect(gradient.rows.map { $0[0] } == byPairs.rows.map { $0[1] })
        #expect(gradient.hasZeroUnusedLanes)
    }

    @Test func crossEntropyOfLargeLogitsIsFinite() throws {
        let entropy = try CrossEntropy(samples: 2, classes: Shape([2]), Compute(threads: 1))
        let gradient = try Batch(samples: 2, shape: Shape([2]))
        let value = entropy.evaluate(try batch([[1000, -1000], [1000, -1000]]), labels: [0, 1], gradient: gradient)
        #expect(abs(value - 1000) < 1e-3)
        #expect(distance(gradient.rows.flatMap { $0 }, [0, 0, 0.5, -0.5]) < 1e-6)
    }

    @Test(arguments: sizes, [1.0, 0.5, 2, 20]) func distillationIsScaledDivergenceAndItsGradientTheSlope(
        size: (samples: Int, classes: Int), temperature: Double
    ) throws {
        var random = Philox(seed: 3, stream: .check)
        let teacher = randomRows(size.samples, size.classes, &random, scale: 2)
        let student = randomRows(size.samples, size.classes, &random, scale: 2)
        func loss(_ rows: [[Double]]) -> Double {
            let divergences = zip(teacher, rows).map { t, s in
                let (logP, logQ) = (logSoftmax(t, temperature: temperature), logSoftmax(s, temperature: temperature))
                return zip(logP, logQ).reduce(0) { $0 + exp($1.0) * ($1.0 - $1.1) }
            }
            return temperature * temperature * divergences.reduce(0, +) / Double(size.samples)
        }
        let distillation = try DistillationLoss(
            temperature: Float(temperature), samples: size.samples, classes: Shape([size.classes]), Compute(threads: 2))
        let gradient = try Batch(samples: size.samples, shape: Shape([size.classes]))
        let value = distillation.evaluate(teacher: try batch(teacher), student: try batch(student), gradient: gradient)
        // T^2 multiplies the rounding of the logarithms too.
        #expect(abs(value - loss(student)) < 1e-6 * (loss(student) + temperature * temperature))
        #expect(
            distance(gradient.rows.flatMap { $0 }, slopes(of: loss, at: student).flatMap { $0 }) < 1e-5
                * max(1, temperature))
        #expect(gradient.hasZeroUnusedLanes)
    }

    @Test(arguments: [Float(0.5), 1, 4]) func distillationOfTheTeacherItselfIsZero(temperature: Float) throws {
        var random = Philox(seed: 4, stream: .check)
        let logits = try batch(randomRows(9, 5, &random, scale: 5))
        let distillation = try DistillationLoss(
            temperature: temperature, samples: 9, classes: logits.shape, Compute(threads: 1))
        let gradient = try Batch(samples: 9, shape: logits.shape)
        #expect(distillation.evaluate(teacher: logits, student: logits, gradient: gradient) == 0)
        #expect(gradient.rows.allSatisfy { $0.allSatisfy { $0 == 0 } })
    }

    /// Of a batch that is large enough to be shared.
    @Test func threadsChangeNoLoss() throws {
        var random = Philox(seed: 5, stream: .check)
        let (samples, classes) = (77, 301)
        let (t, s) = (
            try batch(randomRows(samples, classes, &random, scale: 3)), try batch(randomRows(samples, classes, &random, scale: 3))
        )
        let labels = (0..<samples).map { _ in random.next(below: classes) }
        func results(threads: Int) throws -> [[Double]] {
            let compute = try Compute(threads: threads)
            let (a, b) = (try Batch(samples: samples, shape: t.shape), try Batch(samples: samples, shape: t.shape))
            let divergence = try DistillationLoss(temperature: 3, samples: samples, classes: t.shape, compute)
                .evaluate(teacher: t, student: s, gradient: a)
            let entropy = try CrossEntropy(samples: samples, classes: t.shape, compute)
                .evaluate(s, labels: labels, gradient: b)
            let (winners, means) = (try Indices(count: samples), try Doubles(count: classes))
            s.argmax(to: winners, compute)
            let softmax = try Softmax(samples: samples, classes: t.shape)
            softmax.evaluate(s, compute)
            softmax.meanProbabilities(to: means, compute)
            for i in 0..<samples { #expect(winners[i] == s.argmax(i)) }
            return [[divergence, entropy], (0..<classes).map { means[$0] }] + a.rows + b.rows
        }
        let expected = try results(threads: 1)
        for threads in [2, 3, 5] { #expect(try results(threads: threads) == expected) }
    }

    /// p log p is 0 at p = 0, and log q stays finite where q is 0.
    @Test func probabilitiesOfZeroDoNoHarm() throws {
        let distillation = try DistillationLoss(temperature: 1, samples: 3, classes: Shape([2]), Compute(threads: 1))
        let gradient = try Batch(samples: 3, shape: Shape([2]))
        // A teacher that is sure; a student that is sure; both sure of different classes.
        let teacher = try batch([[500, -500], [0, 0], [500, -500]])
        let student = try batch([[0, 0], [500, -500], [-500, 500]])
        let value = distillation.evaluate(teacher: teacher, student: student, gradient: gradient)
        let expected = (log(2) + (0.5 * log(0.5) + 0.5 * (log(0.5) + 1000)) + 1000) / 3
        #expect(abs(value / expected - 1) < 1e-6)
        let slopes = [-0.5, 0.5, 0.5, -0.5, -1, 1].map { $0 / 3 }
        #expect(distance(gradient.rows.flatMap { $0 }, slopes) < 1e-6)
    }
}
