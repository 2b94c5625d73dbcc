import Glibc
import LaneKernels
import Numerics
import Testing

@Suite struct SegmentKernelTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let samples, groups, channels, pixels, segments: Int
        var affine = true
        var length: Int { groups * channels * pixels / segments }
    }

    static let cases = [
        Case(testDescription: "layer norm of a row", samples: 17, groups: 1, channels: 10, pixels: 1, segments: 1),
        Case(testDescription: "layer norm of tokens", samples: 3, groups: 4, channels: 5, pixels: 1, segments: 4),
        Case(testDescription: "group norm", samples: 18, groups: 1, channels: 6, pixels: 5, segments: 3),
        Case(testDescription: "instance norm", samples: 33, groups: 1, channels: 3, pixels: 7, segments: 3),
        Case(
            testDescription: "without weights", samples: 16, groups: 1, channels: 4, pixels: 6, segments: 2,
            affine: false),
        Case(testDescription: "long", samples: 2, groups: 1, channels: 2, pixels: 700, segments: 1),
    ]

    /// Far from zero, which an unstable variance would not survive.
    @Test(arguments: cases) func normalisationAndItsGradientsAreTheDefinition(_ c: Case) throws {
        var random = Philox(seed: 1, stream: .check)
        let x = Rows(samples: c.samples, [c.groups, c.channels, c.pixels], from: &random).map { Double(Float(30 + $0)) }
        let dy = Rows(samples: c.samples, x.dimensions, from: &random)
        let weight = Rows(samples: 1, [c.channels], from: &random).values
        let bias = Rows(samples: 1, [c.channels], from: &random).values
        let epsilon = 0.01
        func normalised(_ x: Rows, _ weight: [Double], _ bias: [Double]) -> Rows {
            var y = x
            for start in stride(from: 0, to: x.values.count, by: c.length) {
                let segment = x.values[start..<start + c.length]
                let mean = segment.reduce(0, +) / Double(c.length)
                let variance = segment.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(c.length)
                for i in segment.indices {
                    let channel = i / c.pixels % c.channels
                    let (factor, shift) = c.affine ? (weight[channel], bias[channel]) : (1, 0)
                    y.values[i] = (x.values[i] - mean) / (variance + epsilon).squareRoot() * factor + shift
                }
            }
            return y
        }
        let last = c.samples - 1
        let dx = finiteDifferences(at: x[last], towards: dy[last]) { normalised($0, weight, bias) }
        let byWeight = finiteDifferences(at: weight) { dot(normalised(x, $0, bias), dy) }
        let byBias = finiteDifferences(at: bias) { dot(normalised(x, weight, $0), dy) }
        let blocks = Batch.blocks(of: c.samples)
        for kernels in kernelSets {
            let (xLanes, dyLanes, y, dxLanes) = (try x.batch(), try dy.batch(), try x.batch(), try x.batch())
            let (means, inverses) = (
                try Tensor([blocks * c.segments * 16]), try Tensor([blocks * c.segments * 16])
            )
            let (weights, biases) = (try Tensor(weight), try Tensor(bias))
            let (weightSums, biasSums) = (try Tensor([c.channels]), try Tensor([c.channels]))
            for batch in [y, dxLanes] { batch.fill(.nan) }
            var shape = lane_segments(
                layout: lane_channels(groups: c.groups, channels: c.channels, pixels: c.pixels), segments: c.segments,
                weight: c.affine ? UnsafePointer(weights.pointer) : nil,
                bias: c.affine ? UnsafePointer(biases.pointer) : nil, epsilon: Float(epsilon))
            for (first, end) in [(part(of: blocks), blocks), (0, part(of: blocks))] {
                kernels.normalise_segments(
                    &shape, xLanes.pointer, y.pointer, means.pointer, inverses.pointer, first, end)
                kernels.segments_gradient(
                    &shape, xLanes.pointer, dyLanes.pointer, means.pointer, inverses.pointer, dxLanes.pointer, first,
                    end)
            }
            for (first, end) in [(part(of: c.channels), c.channels), (0, part(of: c.channels))] {
                kernels.segment_parameter_gradients(
                    &shape, xLanes.pointer, dyLanes.pointer, means.pointer, inverses.pointer, weightSums.pointer,
                    biasSums.pointer, blocks, first, end)
            }
            expectClose(y, normalised(x, weight, bias), within: 1e-5, "\(kernels.title): y")
            #expect(y.unusedLanes.allSatisfy { $0.isFinite })
            expectClose(Rows(dxLanes)[last].values, dx.values, within: 2e-5, "\(kernels.title): dx")
            #expect(dxLanes.unusedLanes.allSatisfy { $0 == 0 })
            if c.affine {
                expectClose(weightSums, byWeight, within: 2e-5, "\(kernels.title): by weight")
                expectClose(biasSums, byBias, within: 2e-5, "\(kernels.title): by bias")
            }
        }
    }

    @Test(arguments: [(1, 1, 1, 1), (17, 2, 5, 3), (33, 1, 4, 6), (16, 3, 2, 1)])
    func softmaxGoesAlongAnAxis(samples: Int, groups: Int, channels: Int, pixels: Int) throws {
        var random = Philox(seed: 1, stream: .check)
        let x = Rows(samples: samples, [groups, channels, pixels], from: &random).map { Double(Float(10 * $0)) }
        let dy = Rows(samples: samples, x.dimensions, from: &random)
        func softmax(_ x: Rows) -> Rows {
            var y = x
            Reference.eachPixel(x) { n, g, k, i in
                let total = (0..<channels).reduce(0) { $0 + exp(x[n, g, $1, i] - x[n, g, k, i]) }
                y[n, g, k, i] = 1 / total
            }
            return y
        }
        let dx = finiteDifferences(at: x[samples - 1], towards: dy[samples - 1], softmax)
        let blocks = Batch.blocks(of: samples)
        var shape = lane_channels(groups: groups, channels: channels, pixels: pixels)
        for kernels in kernelSets {
            let (xLanes, dyLanes, y, dxLanes) = (try x.batch(), try dy.batch(), try x.batch(), try x.batch())
            for batch in [y, dxLanes] { batch.fill(.nan) }
            for (first, end) in [(part(of: blocks), blocks), (0, part(of: blocks))] {
                kernels.softmax_along(&shape, xLanes.pointer, y.pointer, first, end)
                kernels.softmax_along_gradient(&shape, y.pointer, dyLanes.pointer, dxLanes.pointer, first, end)
            }
            expectClose(y, softmax(x), within: 1e-6, "\(kernels.title): y")
            // Of one number there is no slope, and differences leave their rounding.
            let gradient = Rows(dxLanes)[samples - 1].values
            #expect(zip(gradient, dx.values).allSatisfy { abs($0 - $1) <= 1e-6 }, "\(kernels.title): dx")
            #expect(dxLanes.unusedLanes.allSatisfy { $0 == 0 })
        }
    }

    /// Channels, and how many before and after one count.
    @Test(arguments: [(1, 0, 0), (5, 1, 1), (7, 1, 2), (7, 2, 1), (3, 4, 4)])
    func localResponseNormalisationAndItsGradientAreTheDefinition(channels: Int, before: Int, after: Int) throws {
        var random = Philox(seed: 1, stream: .check)
        let samples = 18
        let x = Rows(samples: samples, [channels, 2, 3], from: &random)
        let dy = Rows(samples: samples, x.dimensions, from: &random)
        let (alpha, beta, bias) = (0.5, 0.75, 1.25)
        func normalised(_ x: Rows) -> Rows {
            var y = x
            Reference.eachPixel(x) { n, c, i, j in
                var squares = 0.0
                for k in max(c - before, 0)...min(c + after, channels - 1) { squares += x[n, k, i, j] * x[n, k, i, j] }
                y[n, c, i, j] = x[n, c, i, j] / pow(bias + alpha / Double(before + 1 + after) * squares, beta)
            }
            return y
        }
        let dx = finiteDifferences(at: x[samples - 1], towards: dy[samples - 1], normalised)
        var shape = lane_responses(
            channels: channels, pixels: 6, before: before, after: after, alpha: Float(alpha), beta: Float(beta),
            bias: Float(bias))
        for kernels in kernelSets {
            let (xLanes, dyLanes, y, dxLanes) = (try x.batch(), try dy.batch(), try x.batch(), try x.batch())
            let scales = try x.batch()
            for batch in [y, dxLanes, scales] { batch.fill(.nan) }
            for (first, end) in [(1, 2), (0, 1)] {
                kernels.normalise_responses(&shape, xLanes.pointer, y.pointer, scales.pointer, first, end)
                kernels.responses_gradient(
                    &shape, xLanes.pointer, y.pointer, scales.pointer, dyLanes.pointer, dxLanes.pointer, first, end)
            }
            expectClose(y, normalised(x), within: 1e-6, "\(kernels.title): y")
            expectClose(Rows(dxLanes)[samples - 1].values, dx.values, "\(kernels.title): dx")
            #expect(dxLanes.unusedLanes.allSatisfy { $0 == 0 })
        }
    }

    /// A NaN spoils the segment it is in, and no other sample.
    @Test func oneNaNSpoilsItsSegment() throws {
        let x = try Rows(samples: 2, [2, 1, 3], [1, 2, 4, 3, 2, 1, 1, 2, 4, 3, 2, 1]).batch()
        let (y, means, inverses) = (try Batch(samples: 2, shape: x.shape), try Tensor([32]), try Tensor([32]))
        x[1, 4] = .nan
        var shape = lane_segments(
            layout: lane_channels(groups: 1, channels: 2, pixels: 3), segments: 2, weight: nil, bias: nil, epsilon: 1)
        for kernels in kernelSets {
            kernels.normalise_segments(&shape, x.pointer, y.pointer, means.pointer, inverses.pointer, 0, 1)
            #expect((0..<6).allSatisfy { y[0, $0].isFinite && y[1, $0].isNaN == ($0 >= 3) }, "\(kernels.title)")
        }
    }
}
