import LaneKernels
import Numerics
import Testing

@Suite struct NormalisationKernelTests {
    /// Samples, channels, height and width.
    static let sizes = [(1, 1, 1, 1), (2, 3, 1, 1), (5, 1, 4, 3), (16, 7, 2, 2), (17, 2, 3, 5), (40, 19, 1, 2)]

    /// x is far from zero, which an unstable variance would not survive; its unused lanes hold what must not count.
    @Test(arguments: sizes) func statisticsAreMeanAndBiasedVariance(
        samples: Int, channels: Int, height: Int, width: Int
    ) throws {
        var random = Philox(seed: 1, stream: .check)
        let x = Rows(samples: samples, [channels, height, width], from: &random).map { Double(Float(100 + $0)) }
        let expected = Reference.statistics(x)
        for kernels in kernelSets {
            let lanes = try x.batch(unused: 1e6)
            let (mean, variance) = (try Tensor([channels]), try Tensor([channels]))
            mean.fill(.nan)
            variance.fill(.nan)
            let middle = part(of: channels)
            for (first, end) in [(middle, channels), (0, middle)] {
                kernels.channel_statistics(
                    lanes.pointer, samples, channels, height * width, mean.pointer, variance.pointer, first, end)
            }
            expectClose(mean, expected.mean, within: 1e-6, "\(kernels.title): mean")
            for c in 0..<channels {
                #expect(abs(Double(variance[c]) - expected.variance[c]) <= 1e-5 * expected.variance[c] + 1e-9)
            }
        }
    }

    @Test(arguments: sizes) func normaliseScalesShiftsAndRectifiesByChannel(
        samples: Int, channels: Int, height: Int, width: Int
    ) throws {
        var random = Philox(seed: 2, stream: .check)
        let x = Rows(samples: samples, [channels, height, width], from: &random)
        let scale = Rows(samples: 1, [channels], from: &random).values
        let shift = Rows(samples: 1, [channels], from: &random).values
        var expected = x
        Reference.eachPixel(x) { n, c, i, j in 
            let y = x[n, c, i, j] * scale[c] + shift[c]
            expected[n, c, i, j] = y > 0 ? y : 0.25 * y
        }
        for kernels in kernelSets {
            let (lanes, y) = (try x.batch(), try x.batch())
            let (scales, shifts) = (try Tensor(scale), try Tensor(shift))
            y.fill(.nan)
            var shape = lane_normalisation(
                samples: samples, channels: channels, pixels: height * width, mean: shifts.pointer,
                inverse_deviation: scales.pointer, scale: scales.pointer, shift: shifts.pointer, slope: 0.25)
            let middle = part(of: channels)
            for (first, end) in [(middle, channels), (0, middle)] {
                kernels.normalise(lanes.pointer, y.pointer, &shape, first, end)
            }
            expectClose(y, expected, within: 1e-6, "\(kernels.title): y")
            #expect(y.unusedLanes.allSatisfy { $0.isFinite })
        }
    }

    @Test(arguments: sizes) func sumsAndGradientAreTheirFormulas(
        samples: Int, channels: Int, height: Int, width: Int
    ) throws {
        var random = Philox(seed: 3, stream: .check)
        let x = Rows(samples: samples, [channels, height, width], from: &random)
        let dy = Rows(samples: samples, [channels, height, width], from: &random)
        func perChannel() -> [Double] { Rows(samples: 1, [channels], from: &random).values }
        let (mean, inverse, scale, shift) = (perChannel(), perChannel(), perChannel(), perChannel())
        let (meanDy, meanDyXhat) = (perChannel(), perChannel())
        var (sumX, sumDy, sumDyXhat) = (
            [Double](repeating: 0, count: channels), [Double](repeating: 0, count: channels),
            [Double](repeating: 0, count: channels)
        )
        var dx = x
        Reference.eachPixel(x) { n, c, i, j in
            let xhat = (x[n, c, i, j] - mean[c]) * inverse[c]
            let gradient = dy[n, c, i, j] * (x[n, c, i, j] * scale[c] + shift[c] > 0 ? 1 : 0.25)
            sumX[c] += x[n, c, i, j]
            sumDy[c] += gradient
            sumDyXhat[c] += gradient * xhat
            dx[n, c, i, j] = scale[c] * (gradient - meanDy[c] - xhat * meanDyXhat[c])
        }
        for kernels in kernelSets {
            // The unused lanes of activations hold anything finite; those of gradients hold zeros.
            let (xLanes, dyLanes, dxLanes) = (try x.batch(unused: 1e6), try dy.batch(), try x.batch())
            let (a, b, s) = (try Tensor([channels]), try Tensor([channels]), try Tensor([channels]))
            dxLanes.fill(.nan)
            for memory in [a, b, s] { memory.fill(.nan) }
            let (m, r, factor, offset) = (try Tensor(mean), try Tensor(inverse), try Tensor(scale), try Tensor(shift))
            var shape = lane_normalisation(
                samples: samples, channels: channels, pixels: height * width, mean: m.pointer,
                inverse_deviation: r.pointer, scale: factor.pointer, shift: offset.pointer, slope: 0.25)
            let (meanOfDy, meanOfDyXhat, zeroPadded) = (try Tensor(meanDy), try Tensor(meanDyXhat), try x.batch())
            let middle = part(of: channels)
            for (first, end) in [(middle, channels), (0, middle)] {
                kernels.normalisation_sums(
                    xLanes.pointer, dyLanes.pointer, &shape, a.pointer, b.pointer, first, end)
                kernels.normalisation_gradient(
                    xLanes.pointer, dyLanes.pointer, dxLanes.pointer, &shape, meanOfDy.pointer, meanOfDyXhat.pointer,
                    first, end)
                kernels.channel_sums(
                    zeroPadded.pointer, xLanes.blocks, channels, height * width, s.pointer, first, end)
            }
            expectClose(a, sumDy, "\(kernels.title): sum dy")
            expectClose(b, sumDyXhat, "\(kernels.title): sum dy xhat")
            expectClose(s, sumX, "\(kernels.title): sum x")
            expectClose(dxLanes, dx, "\(kernels.title): dx")
            #expect(dxLanes.unusedLanes.allSatisfy { $0 == 0 })
        }
    }

    @Test(arguments: sizes) func theStatisticsGradientIsAdded(
        samples: Int, channels: Int, height: Int, width: Int
    ) throws {
        var random = Philox(seed: 4, stream: .check)
        let x = Rows(samples: samples, [channels, height, width], from: &random)
        let dx = Rows(samples: samples, [channels, height, width], from: &random)
        func perChannel() -> [Double] { Rows(samples: 1, [channels], from: &random).values }
        let (mean, byMean, byVariance) = (perChannel(), perChannel(), perChannel())
        var expected = dx
        Reference.eachPixel(x) { n, c, i, j in
            expected[n, c, i, j] += byMean[c] + byVariance[c] * (x[n, c, i, j] - mean[c])
        }
        for kernels in kernelSets {
            let (xLanes, dxLanes) = (try x.batch(unused: 1e6), try dx.batch())
            let (m, a, b) = (try Tensor(mean), try Tensor(byMean), try Tensor(byVariance))
            let middle = part(of: channels)
            for (first, end) in [(middle, channels), (0, middle)] {
                kernels.statistics_gradient(
                    xLanes.pointer, dxLanes.pointer, samples, channels, height * width, m.pointer, a.pointer, b.pointer,
                    first, end)
            }
            expectClose(dxLanes, expected, within: 1e-6, "\(kernels.title): dx")
            #expect(dxLanes.unusedLanes.allSatisfy { $0 == 0 })
        }
    }
}
