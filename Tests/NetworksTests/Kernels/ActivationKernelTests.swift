import Glibc
import LaneKernels
import Numerics
import Testing

@Suite struct ActivationKernelTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let kind: lane_activation
        var a: Float = 0
        var b: Float = 0
        /// Where it is tried.
        var range: ClosedRange<Double> = -30...30
        /// The largest relative error.
        var tolerance = 1e-6
        let function: @Sendable (Double) -> Double
    }

    static let seluAlpha = Float(1.67326319217681884765625), seluGamma = Float(1.05070102214813232421875)

    static let cases = [
        Case(testDescription: "clip", kind: LANE_CLIP, a: -1.5, b: 6) { min(max($0, -1.5), 6) },
        Case(testDescription: "clip above only", kind: LANE_CLIP, a: -.infinity, b: 2) { min($0, 2) },
        Case(testDescription: "ELU", kind: LANE_ELU, a: 0.75) { $0 > 0 ? $0 : 0.75 * expm1($0) },
        Case(testDescription: "SELU", kind: LANE_SELU, a: seluAlpha, b: seluGamma) {
            Double(seluGamma) * ($0 > 0 ? $0 : Double(seluAlpha) * expm1($0))
        },
        // The exponent of e^(-x^2 / 2) is rounded, which counts the more the larger it is.
        Case(testDescription: "GELU", kind: LANE_GELU, range: -8...30, tolerance: 4e-6) {
            0.5 * $0 * erfc(-$0 / 2.0.squareRoot())
        },
        Case(testDescription: "GELU by tanh", kind: LANE_GELU_TANH, range: -6...30, tolerance: 1e-5) {
            $0 / (1 + exp(-2 * (2 / Double.pi).squareRoot() * ($0 + 0.044715 * $0 * $0 * $0)))
        },
        Case(testDescription: "SiLU", kind: LANE_SILU) { $0 / (1 + exp(-$0)) },
        Case(testDescription: "Mish", kind: LANE_MISH) { $0 * tanh(log1p(exp($0))) },
        Case(testDescription: "softplus", kind: LANE_SOFTPLUS) { log1p(exp($0)) },
        Case(testDescription: "softsign", kind: LANE_SOFTSIGN) { $0 / (1 + abs($0)) },
        Case(testDescription: "sigmoid", kind: LANE_SIGMOID) { 1 / (1 + exp(-$0)) },
        Case(testDescription: "hard sigmoid", kind: LANE_HARD_SIGMOID, a: 0.25, b: 0.5) {
            min(max(0.25 * $0 + 0.5, 0), 1)
        },
        Case(testDescription: "hard swish", kind: LANE_HARD_SWISH) { $0 * min(max($0 + 3, 0), 6) / 6 },
        Case(testDescription: "abs", kind: LANE_ABS) { abs($0) },
        Case(testDescription: "negate", kind: LANE_NEGATE) { -$0 },
        Case(testDescription: "reciprocal", kind: LANE_RECIPROCAL) { 1 / $0 },
        Case(testDescription: "sqrt", kind: LANE_SQRT, range: 1e-3...1e6) { $0.squareRoot() },
        Case(testDescription: "power 2", kind: LANE_POWER, a: 2) { $0 * $0 },
        Case(testDescription: "power -3", kind: LANE_POWER, a: -3, range: -30 ... -1e-3) { 1 / ($0 * $0 * $0) },
        Case(testDescription: "power 1.7", kind: LANE_POWER, a: 1.7, range: 1e-3...1e6, tolerance: 4e-6) {
            pow($0, Double(Float(1.7)))
        },
        Case(testDescription: "power 101", kind: LANE_POWER, a: 101, range: -2...2, tolerance: 2e-5) { pow($0, 101) },
        Case(testDescription: "power 0", kind: LANE_POWER, a: 0) { _ in 1 },
        Case(testDescription: "exp", kind: LANE_EXP, range: -80...80) { exp($0) },
        Case(testDescription: "log", kind: LANE_LOG, range: 1e-30...1e30) { log($0) },
        Case(testDescription: "erf", kind: LANE_ERF) { erf($0) },
    ]

    /// Relative error, because that is what small results keep.
    @Test(arguments: cases) func valuesAreAccurateEverywhere(_ c: Case) throws {
        let numbers = numbers(of: c)
        let (x, y) = (try Tensor(numbers), try Tensor([numbers.count]))
        for kernels in kernelSets {
            y.fill(.nan)
            kernels.activate(c.kind, c.a, c.b, x.pointer, y.pointer, numbers.count)
            var worst = (error: 0.0, at: 0.0)
            for (i, number) in numbers.enumerated() {
                let exact = c.function(number)
                // Below that, float32 keeps fewer digits.
                let error = abs(Double(y[i]) - exact) / max(abs(exact), 1e-37)
                if !(error <= worst.error) { worst = (error, number) }
            }
            #expect(worst.error < c.tolerance, "\(kernels.title): at \(worst.at)")
        }
    }

    @Test(arguments: cases) func gradientsAreSlopes(_ c: Case) throws {
        let bends = [-3, -1.5, 0, 2, 3, 6.0, -2]
        let numbers = numbers(of: c).map { number in bends.contains { abs(number - $0) < 1e-3 } ? 0.5 : number }
        let (x, dy, dx) = (try Tensor(numbers), try Tensor([numbers.count]), try Tensor([numbers.count]))
        dy.fill(3)
        for kernels in kernelSets {
            dx.fill(.nan)
            kernels.activate_gradient(c.kind, c.a, c.b, x.pointer, dy.pointer, dx.pointer, numbers.count)
            var worst = (error: 0.0, at: 0.0)
            for (i, number) in numbers.enumerated() {
                let h = 1e-5 * min(abs(number), 1)
                let slope = 3 * (c.function(number + h) - c.function(number - h)) / (2 * h)
                let error = abs(Double(dx[i]) - slope) / max(abs(slope), 1)
                if !(error <= worst.error) { worst = (error, number) }
            }
            #expect(worst.error < 4 * c.tolerance, "\(kernels.title): at \(worst.at)")
        }
    }

    /// A whole number of vectors, exact in float32.
    private func numbers(of c: Case) -> [Double] {
        let (low, high) = (c.range.lowerBound, c.range.upperBound)
        var numbers = (0...3000).map { low + (high - low) * Double($0) / 3000 }
        for exponent in 0...280 {
            let small = pow(10, -Double(exponent) / 20)
            numbers += [small, -small].filter { c.range.contains($0) }
        }
        numbers = numbers.map { Double(Float($0)) }.filter { $0 != 0 && c.range.contains($0) }
        numbers += [Double](repeating: 0.5, count: (16 - numbers.count % 16) % 16)
        return numbers
    }

    /// PyTorch's, where its functions have bends; infinite slopes are those of the functions.
    @Test(arguments: [
        (LANE_CLIP, Float(-1), Float(2), [(-1, 0), (2, 0), (1.999, 1)]),
        (LANE_ELU, 0.5, 0, [(0, 0.5)]),
        (LANE_HARD_SIGMOID, 0.25, 0.5, [(-2, 0), (2, 0), (-1.999, 0.25), (0, 0.25)]),
        (LANE_HARD_SWISH, 0, 0, [(-3, 0), (3, 1), (0, 0.5)]),
        (LANE_ABS, 0, 0, [(0, 0)]),
        (LANE_SQRT, 0, 0, [(0, .infinity)]),
        (LANE_LOG, 0, 0, [(0, .infinity)]),
        (LANE_POWER, 1, 0, [(0, 1), (-2, 1)]),
        (LANE_POWER, 0, 0, [(0, 0)]),
    ] as [(lane_activation, Float, Float, [(Float, Float)])])
    func slopesAtBends(kind: lane_activation, a: Float, b: Float, expected: [(x: Float, slope: Float)]) throws {
        let (x, dy, dx) = (try Tensor([16]), try Tensor([16]), try Tensor([16]))
        for (number, slope) in expected {
            x.fill(number)
            for kernels in kernelSets {
                dy.fill(1)
                kernels.activate_gradient(kind, a, b, x.pointer, dy.pointer, dx.pointer, 16)
                #expect((0..<16).allSatisfy { dx[$0] == slope }, "\(kernels.title): \(dx[0]) at \(number)")
                // Unused lanes have no gradient, and must not get one that is NaN.
                dy.fill(0)
                kernels.activate_gradient(kind, a, b, x.pointer, dy.pointer, dx.pointer, 16)
                #expect((0..<16).allSatisfy { dx[$0] == 0 }, "\(kernels.title): no gradient at \(number)")
            }
        }
    }

    @Test(arguments: [
        (LANE_CLIP, -1, 2, -1, 2), (LANE_ELU, 0.5, 0, -0.5, .infinity),
        (LANE_SELU, seluAlpha, seluGamma, -seluAlpha * seluGamma, .infinity), (LANE_SIGMOID, 0, 0, 0, 1),
        (LANE_HARD_SIGMOID, 0.2, 0.5, 0, 1), (LANE_SOFTPLUS, 0, 0, 0, .infinity), (LANE_ERF, 0, 0, -1, 1),
        (LANE_EXP, 0, 0, 0, .infinity), (LANE_LOG, 0, 0, .nan, .infinity), (LANE_SQRT, 0, 0, .nan, .infinity),
        (LANE_RECIPROCAL, 0, 0, 0, 0), (LANE_ABS, 0, 0, .infinity, .infinity),
        (LANE_NEGATE, 0, 0, .infinity, -.infinity), (LANE_POWER, 3, 0, -.infinity, .infinity),
        (LANE_POWER, 2, 0, .infinity, .infinity), (LANE_POWER, -2, 0, 0, 0), (LANE_POWER, 0.5, 0, .nan, .infinity),
        (LANE_POWER, 100, 0, .infinity, .infinity),
        // As in PyTorch, whose products of infinity and 0 these are.
        (LANE_GELU, 0, 0, .nan, .infinity), (LANE_GELU_TANH, 0, 0, .nan, .infinity), (LANE_SILU, 0, 0, .nan, .infinity),
        (LANE_MISH, 0, 0, .nan, .infinity), (LANE_HARD_SWISH, 0, 0, .nan, .infinity),
        (LANE_SOFTSIGN, 0, 0, .nan, .nan),
    ] as [(lane_activation, Float, Float, Float, Float)])
    func infinitiesHaveTheirLimitsAndNaNStays(
        kind: lane_activation, a: Float, b: Float, atMinusInfinity: Float, atInfinity: Float
    ) throws {
        let (x, y) = (try Tensor([16]), try Tensor([16]))
        (x[0], x[1], x[2]) = (-.infinity, .infinity, .nan)
        for kernels in kernelSets {
            kernels.activate(kind, a, b, x.pointer, y.pointer, 16)
            for (i, expected) in [atMinusInfinity, atInfinity, .nan].enumerated() {
                #expect(expected.isNaN ? y[i].isNaN : y[i] == expected, "\(kernels.title): \(y[i]) of \(x[i])")
            }
        }
    }

    @Test func logarithmsAndPowersAtZeroAndBelowAreDefined() throws {
        let (x, y) = (try Tensor([16]), try Tensor([16]))
        (x[0], x[1], x[2], x[3]) = (0, -1, Float.leastNonzeroMagnitude * 1000, -2)
        for kernels in kernelSets {
            kernels.activate(LANE_LOG, 0, 0, x.pointer, y.pointer, 16)
            #expect(y[0] == -.infinity && y[1].isNaN && abs(y[2] - log(x[2])) < 1e-5, "\(kernels.title): log")
            kernels.activate(LANE_POWER, -1, 0, x.pointer, y.pointer, 16)
            #expect(y[0] == .infinity && y[1] == -1 && y[3] == -0.5, "\(kernels.title): power -1")
            kernels.activate(LANE_POWER, 0.5, 0, x.pointer, y.pointer, 16)
            #expect(y[0] == 0 && y[1].isNaN, "\(kernels.title): power 0.5")
            kernels.activate(LANE_POWER, 0, 0, x.pointer, y.pointer, 16)
            #expect(y[0] == 1 && y[1] == 1, "\(kernels.title): power 0")
        }
    }

    @Test(arguments: [(Float(0.1), Float(0), Float(-128), Float(127)), (0.02, 114, 0, 255), (3, -5, -8, 7)])
    func fakeQuantizationIsItsFormula(scale: Float, zero: Float, low: Float, high: Float) throws {
        var random = Philox(seed: 1, stream: .check)
        let reach = scale * (high - low)
        var numbers = (0..<1024).map { _ in (random.nextUniform() - 0.5) * 2 * reach }
        // Halves between two steps, and what is far away.
        numbers += (-4..<4).map { (Float($0) + 0.5) * scale } + [1e30, -1e30, .infinity, -.infinity, 0, .nan, 1, 2]
        let (x, y) = (try Tensor(numbers.map(Double.init)), try Tensor([numbers.count]))
        let (dy, dx) = (try Tensor([numbers.count]), try Tensor([numbers.count]))
        dy.fill(3)
        var shape = lane_quantization(scale: scale, zero: zero, low: low, high: high)
        for kernels in kernelSets {
            kernels.fake_quantize(&shape, x.pointer, y.pointer, numbers.count)
            kernels.fake_quantize_gradient(&shape, x.pointer, dy.pointer, dx.pointer, numbers.count)
            for (i, number) in numbers.enumerated() {
                let steps = (number / scale).rounded(.toNearestOrEven) + zero
                let expected = (min(max(steps, low), high) - zero) * scale
                #expect(number.isNaN ? y[i].isNaN : y[i] == expected, "\(kernels.title): \(number)")
                #expect(dx[i] == (steps >= low && steps <= high ? 3 : 0), "\(kernels.title): slope at \(number)")
            }
        }
    }

    @Test(arguments: [(1, 1, 1, 1), (17, 1, 3, 10), (33, 5, 4, 1), (16, 2, 1, 7)])
    func preluHasASlopeForEachChannel(samples: Int, groups: Int, channels: Int, pixels: Int) throws {
        var random = Philox(seed: 1, stream: .check)
        let x = Rows(samples: samples, [groups, channels, pixels], from: &random)
        let dy = Rows(samples: samples, x.dimensions, from: &random)
        let slopes = Rows(samples: 1, [channels], from: &random).values
        var (y, dx, bySlope) = (x, dy, [Double](repeating: 0, count: channels))
        for i in x.values.indices where x.values[i] <= 0 {
            let c = i / pixels % channels
            y.values[i] *= slopes[c]
            dx.values[i] *= slopes[c]
            bySlope[c] += dy.values[i] * x.values[i]
        }
        var shape = lane_channels(groups: groups, channels: channels, pixels: pixels)
        for kernels in kernelSets {
            let (xLanes, dyLanes) = (try x.batch(unused: -1e6), try dy.batch())
            let (yLanes, dxLanes) = (try x.batch(), try x.batch())
            let (slopeMemory, sums) = (try Tensor(slopes), try Tensor([channels]))
            for batch in [yLanes, dxLanes] { batch.fill(.nan) }
            let blocks = xLanes.blocks
            for (first, end) in [(part(of: blocks), blocks), (0, part(of: blocks))] {
                kernels.prelu(&shape, xLanes.pointer, slopeMemory.pointer, yLanes.pointer, first, end)
                kernels.prelu_gradient(
                    &shape, xLanes.pointer, slopeMemory.pointer, dyLanes.pointer, dxLanes.pointer, first, end)
            }
            for (first, end) in [(part(of: channels), channels), (0, part(of: channels))] {
                kernels.prelu_slope_gradient(
                    &shape, xLanes.pointer, dyLanes.pointer, sums.pointer, blocks, first, end)
            }
            expectClose(yLanes, y, within: 1e-6, "\(kernels.title): y")
            expectClose(dxLanes, dx, within: 1e-6, "\(kernels.title): dx")
            expectClose(sums, bySlope, "\(kernels.title): by slope")
            #expect(dxLanes.unusedLanes.allSatisfy { $0 == 0 })
        }
    }
}
