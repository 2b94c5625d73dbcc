import Glibc
import LaneKernels
import Numerics
import Testing

/// Each loss is its formula in Double, of whole batches and of those that end within a block; what the unused lanes of its
/// inputs hold does not count.
@Suite struct LossKernelTests {
    /// Samples and elements.
    static let sizes: [(Int, Int)] = {
        var random = Philox(seed: 1, stream: .check)
        return [(1, 1), (16, 10), (32, 1)] + (0..<12).map { _ in (1 + random.next(below: 50), 1 + random.next(below: 70)) }
    }()

    /// Calls a kernel in two parts and returns its sum and the gradient, of which every number must have been written.
    private func run(
        _ like: Rows, _ kernel: (_ gradient: Batch, _ sums: UnsafeMutablePointer<Double>, _ first: Int, _ end: Int) -> Void
    ) throws -> (sum: Double, gradient: Batch) {
        let gradient = try like.batch()
        gradient.fill(.nan)
        var sums = [Double](repeating: .nan, count: gradient.blocks)
        feclearexcept(FE_DIVBYZERO | FE_INVALID)
        let middle = part(of: gradient.blocks)
        for (first, end) in [(middle, gradient.blocks), (0, middle)] { kernel(gradient, &sums, first, end) }
        #expect(fetestexcept(FE_DIVBYZERO | FE_INVALID) == 0, "a host may have these trap")
        #expect(gradient.unusedLanes.allSatisfy { $0 == 0 })
        return (sums.reduce(0, +), gradient)
    }

    private func softmax(_ x: Rows, _ kernels: Kernels) throws -> (p: Batch, logP: Batch) {
        let (lanes, p, logP) = (try x.batch(unused: 1e6), try x.batch(), try x.batch())
        kernels.softmax(lanes.pointer, 1, p.pointer, logP.pointer, x.elements, 0, lanes.blocks)
        return (p, logP)
    }

    private func labels(_ x: Rows, _ random: inout Philox) -> [Int] {
        (0..<x.samples).map { _ in random.next(below: x.elements) }
    }

    private func close(_ a: Double, _ b: Double) -> Bool { abs(a - b) <= 1e-6 * (abs(b) + 1) }

    @Test func logarithmsAreAccurateAndKeepNaN() throws {
        // One class has log p = -log 1; n equal logits have -log n; the softmax of (0, x) has -log(1 + e^x).
        for kernels in kernelSets {
            for count in [1, 2, 3, 10, 1000, 100_000] {
                let (p, logP) = try softmax(Rows(samples: 1, [count]), kernels)
                #expect(abs(Double(logP[0, count - 1]) + log(Double(count))) <= 1e-7 * log(Double(count)))
                #expect(abs(Double(p[0, 0]) * Double(count) - 1) < 1e-6)
            }
            for x in stride(from: -30.0, through: 0, by: 0.37) {
                let logP = try softmax(Rows(samples: 1, [2], [0, Double(Float(x))]), kernels).logP
                let expected = -log1p(exp(Double(Float(x))))
                #expect(abs(Double(logP[0, 0]) - expected) <= 2e-7, "\(kernels.title): \(x)")
            }
        }
    }

    @Test(arguments: sizes) func probabilitiesAreReadByTheirLogarithms(samples: Int, elements: Int) throws {
        var random = Philox(seed: 6, stream: .check)
        let x = Rows(samples: samples, [elements], (0..<samples * elements).map { _ in Double(random.nextUniform()) - 0.1 })
        let by = Rows(samples: samples, [elements], (0..<samples * elements).map { _ in Double(random.nextSymmetric()) })
        for kernels in kernelSets {
            let (p, slopes) = (try x.batch(), try by.batch())
            let (sums, minima) = (try Batch(samples: samples, shape: Shape([1])), try Batch(samples: samples, shape: Shape([1])))
            let logs = try x.batch()
            feclearexcept(FE_DIVBYZERO | FE_INVALID)
            kernels.log_probabilities(p.pointer, 1e-6, logs.pointer, sums.pointer, minima.pointer, elements, 0, p.blocks)
            let gradient = try x.batch()
            kernels.log_probabilities_gradient(p.pointer, 1e-6, slopes.pointer, gradient.pointer, p.count)
            #expect(fetestexcept(FE_DIVBYZERO | FE_INVALID) == 0, "a host may have these trap")
            #expect(gradient.unusedLanes.allSatisfy { $0 == 0 })
            for i in 0..<samples {
                var (sum, least) = (0.0, Double.infinity)
                for k in 0..<elements {
                    let value = Double(p[i, k])
                    (sum, least) = (sum + value, min(least, value))
                    #expect(close(Double(logs[i, k]), log(max(value, 1e-6))))
                    #expect(close(Double(gradient[i, k]), value > 1e-6 ? Double(slopes[i, k]) / value : 0))
                }
                #expect(abs(Double(sums[i, 0]) - sum) < 1e-5 * Double(elements) && Double(minima[i, 0]) == least)
            }
        }
    }

    @Test(arguments: sizes) func argmaxIsTheFirstOfTheLargest(samples: Int, elements: Int) throws {
        var random = Philox(seed: 2, stream: .check)
        // Few values, so that there are equals.
        let x = Rows(samples: samples, [elements], from: &random).map { $0.rounded() }
        for kernels in kernelSets {
            let lanes = try x.batch(unused: 1e6)
            var places = [Int](repeating: -1, count: samples)
            let middle = part(of: lanes.blocks)
            for (first, end) in [(middle, lanes.blocks), (0, middle)] {
                kernels.argmax(lanes.pointer, &places, samples, elements, first, end)
            }
            for i in 0..<samples {
                let row = x[i].values
                #expect(places[i] == row.firstIndex(of: row.max() ?? 0), "\(kernels.title)")
            }
        }
    }

    @Test(arguments: sizes) func crossEntropy(samples: Int, classes: Int) throws {
        var random = Philox(seed: 3, stream: .check)
        let x = Rows(samples: samples, [classes], from: &random)
        let y = labels(x, &random)
        let logP = Reference.logSoftmax(x, scale: 1)
        var gradient = logP.map { exp($0) / Double(samples) }
        for i in 0..<samples { gradient.values[i * classes + y[i]] -= 1 / Double(samples) }
        let expected = -(0..<samples).reduce(0) { $0 + logP.values[$1 * classes + y[$1]] }
        for kernels in kernelSets {
            let (p, logP) = try softmax(x, kernels)
            let (sum, result) = try run(x) { gradient, sums, first, end in
                kernels.cross_entropy(
                    p.pointer, logP.pointer, y, gradient.pointer, samples, classes, sums, first, end)
            }
            #expect(close(sum, expected), "\(kernels.title)")
            for (a, b) in zip(Rows(result).values, gradient.values) { #expect(abs(a - b) < 1e-6 / Double(samples)) }
            var sums = [Double](repeating: 0, count: p.blocks)
            kernels.cross_entropy(p.pointer, logP.pointer, y, nil, samples, classes, &sums, 0, p.blocks)
            #expect(sums.reduce(0, +) == sum)
        }
    }

    @Test(arguments: sizes) func divergence(samples: Int, classes: Int) throws {
        var random = Philox(seed: 4, stream: .check)
        let (t, s) = (Rows(samples: samples, [classes], from: &random), Rows(samples: samples, [classes], from: &random))
        let (logP, logQ) = (Reference.logSoftmax(t, scale: 1), Reference.logSoftmax(s, scale: 1))
        let expected = zip(logP.values, logQ.values).reduce(0) { $0 + exp($1.0) * ($1.0 - $1.1) }
        let gradient = Rows(samples: samples, [classes], zip(logP.values, logQ.values).map { 0.3 * (exp($1) - exp($0)) })
        for kernels in kernelSets {
            let ((p, logP), (q, logQ)) = (try softmax(t, kernels), try softmax(s, kernels))
            let (sum, result) = try run(t) { gradient, sums, first, end in
                kernels.divergence(
                    p.pointer, logP.pointer, q.pointer, logQ.pointer, 0.3, gradient.pointer, samples, classes, sums, first,
                    end)
            }
            #expect(abs(sum - expected) < 1e-6 * (expected + Double(samples)), "\(kernels.title)")
            expectClose(result, gradient, within: 2e-6, "\(kernels.title): gradient")
        }
    }

    /// p log p is 0 at p = 0.
    @Test func nothingDivergesFromAnImpossibleClass() throws {
        let (p, logP) = (try Rows(samples: 1, [2], [1, 0]).batch(), try Rows(samples: 1, [2], [0, -.infinity]).batch())
        let logQ = try Rows(samples: 1, [2], [-1, -2]).batch()
        for kernels in kernelSets {
            let sum = try run(Rows(samples: 1, [2])) { gradient, sums, first, end in
                kernels.divergence(
                    p.pointer, logP.pointer, p.pointer, logQ.pointer, 1, gradient.pointer, 1, 2, sums, first, end)
            }.sum
            #expect(sum == 1, "\(kernels.title)")
        }
    }

    @Test(arguments: sizes) func elementSums(samples: Int, elements: Int) throws {
        var random = Philox(seed: 5, stream: .check)
        let x = Rows(samples: samples, [elements], from: &random)
        let expected = (0..<elements).map { k in (0..<samples).reduce(0) { $0 + x.values[$1 * elements + k] } }
        for kernels in kernelSets {
            let lanes = try x.batch(unused: 1e6)
            var sums = [Double](repeating: .nan, count: elements)
            let middle = part(of: elements)
            for (first, end) in [(middle, elements), (0, middle)] {
                kernels.element_sums(lanes.pointer, samples, elements, &sums, first, end)
            }
            // The numbers are floats, so sums in doubles are all but exact.
            for (sum, expected) in zip(sums, expected) { #expect(abs(sum - expected) < 1e-12, "\(kernels.title)") }
        }
    }

    @Test(arguments: sizes) func generatorGradient(samples: Int, classes: Int) throws {
        var random = Philox(seed: 6, stream: .check)
        let x = Rows(samples: samples, [classes], from: &random)
        let winners = labels(x, &random)
        let logMean = (0..<classes).map { _ in Double(random.nextNormal()) - 5 }
        let p = Reference.logSoftmax(x, scale: 1).map { exp($0) }
        var expected = p
        for i in 0..<samples {
            let mean = (0..<classes).reduce(0) { $0 + p.values[i * classes + $1] * logMean[$1] }
            for k in 0..<classes {
                let probability = p.values[i * classes + k]
                expected.values[i * classes + k] =
                    0.7 * (probability - (k == winners[i] ? 1 : 0)) + 3 * probability * (logMean[k] - mean)
            }
        }
        for kernels in kernelSets {
            let p = try softmax(x, kernels).p
            let gradient = try run(x) { gradient, sums, first, end in
                kernels.generator_gradient(
                    p.pointer, winners, logMean, 0.7, 3, gradient.pointer, samples, classes, first, end)
                for block in first..<end { sums[block] = 0 }
            }.gradient
            for (a, b) in zip(Rows(gradient).values, expected.values) { #expect(abs(a - b) < 5e-6, "\(kernels.title)") }
        }
    }

    @Test(arguments: sizes) func magnitudes(samples: Int, elements: Int) throws {
        var random = Philox(seed: 7, stream: .check)
        let x = Rows(samples: samples, [elements], from: &random).map { abs($0) < 0.3 ? 0 : $0 }
        let expected = x.values.reduce(0) { $0 + abs($1) }
        for kernels in kernelSets {
            let lanes = try x.batch(unused: -1e6)
            let (sum, gradient) = try run(x) { gradient, sums, first, end in
                kernels.magnitudes(lanes.pointer, -0.25, gradient.pointer, samples, elements, sums, first, end)
            }
            #expect(abs(sum - expected) < 1e-12 * (expected + 1), "\(kernels.title)")
            #expect(Rows(gradient).values == x.values.map { $0 > 0 ? -0.25 : $0 < 0 ? 0.25 : 0 })
            var sums = [Double](repeating: 0, count: lanes.blocks)
            kernels.magnitudes(lanes.pointer, 1, nil, samples, elements, &sums, 0, lanes.blocks)
            #expect(sums.reduce(0, +) == sum)
        }
    }

    @Test(arguments: sizes) func squaredError(samples: Int, elements: Int) throws {
        var random = Philox(seed: 8, stream: .check)
        let (x, y) = (Rows(samples: samples, [elements], from: &random), Rows(samples: samples, [elements], from: &random))
        let differences = zip(x.values, y.values).map { $0 - $1 }
        let expected = differences.reduce(0) { $0 + $1 * $1 }
        for kernels in kernelSets {
            let (a, b) = (try x.batch(unused: 1e6), try y.batch(unused: -1e6))
            let (sum, gradient) = try run(x) { gradient, sums, first, end in
                kernels.squared_error(a.pointer, b.pointer, 0.1, gradient.pointer, samples, elements, sums, first, end)
            }
            #expect(abs(sum - expected) < 1e-12 * (expected + 1), "\(kernels.title)")
            expectClose(gradient, Rows(samples: samples, [elements], differences.map { 0.1 * $0 }), within: 1e-7)
        }
    }

    @Test func blendIsBothInTheirShares() throws {
        var random = Philox(seed: 9, stream: .check)
        let (a, b) = (Rows(samples: 1, [48], from: &random).values, Rows(samples: 1, [48], from: &random).values)
        for kernels in kernelSets {
            let (x, y) = (try Tensor(a), try Tensor(b))
            kernels.blend(x.pointer, y.pointer, 0.25, 48)
            expectClose(x, zip(a, b).map { 0.75 * $0 + 0.25 * $1 }, within: 1e-6, kernels.title)
        }
    }
}
