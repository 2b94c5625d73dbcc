import Numerics

/// How far the statistics of a batch are from those that a batch normalisation kept from training:
///
///     norm2(mean - running mean) + norm2(variance - running variance)
///
/// over the channels of its input x (DeepInversion, Yin et al., CVPR 2020, equation 4).
final class StatisticsComparison {
    private(set) var distance = 0.0
    private let site: Site
    private let layer: BatchNorm
    private let pixels: Int
    private let mean: Tensor
    private let variance: Tensor
    // weight d distance / dx = by mean + by variance (x - mean), each by channel.
    private let byMean: Tensor
    private let byVariance: Tensor

    init(_ site: Site, _ layer: BatchNorm) throws {
        self.site = site
        self.layer = layer
        pixels = site.output.value.elements / layer.channels
        let perChannel = try Shape([layer.channels])
        (mean, variance) = (try Tensor(perChannel), try Tensor(perChannel))
        (byMean, byVariance) = (try Tensor(perChannel), try Tensor(perChannel))
    }

    /// Writes `distance` for the site's input as it is.
    func measure() {
        let (x, kernels) = (site.inputs[0].value, site.compute.kernels)
        site.compute.parallel(layer.channels) { range in
            kernels.channel_statistics(
                x.pointer, site.samples, layer.channels, pixels, mean.pointer, variance.pointer, range.lowerBound,
                range.upperBound)
        }
        distance = difference(mean, layer.runningMean.value, to: byMean, slope: 1)
            + difference(variance, layer.runningVariance.value, to: byVariance, slope: 2)
    }

    /// norm2(a - b), and what a number of x counts in it: weight slope (a - b) / norm2(a - b) / m, of m numbers a channel.
    private func difference(_ a: Tensor, _ b: Tensor, to gradient: Tensor, slope: Float) -> Double {
        let length = (0..<layer.channels).reduce(0.0) { $0 + Double(a[$1] - b[$1]) * Double(a[$1] - b[$1]) }.squareRoot()
        let share = length > 0 ? site.statisticsWeight * slope / (Float(length) * Float(site.samples) * Float(pixels)) : 0
        for c in 0..<layer.channels { gradient[c] = share * (a[c] - b[c]) }
        return length
    }

    func addGradient(to dx: Batch) {
        let (x, kernels) = (site.inputs[0].value, site.compute.kernels)
        site.compute.parallel(layer.channels) { range in
            kernels.statistics_gradient(
                x.pointer, dx.pointer, site.samples, layer.channels, pixels, mean.pointer, byMean.pointer,
                byVariance.pointer, range.lowerBound, range.upperBound)
        }
    }
}
