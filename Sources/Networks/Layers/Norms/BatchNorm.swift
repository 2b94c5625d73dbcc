import LaneKernels
import Numerics

/// Batch normalisation over samples and pixels (Ioffe and Szegedy 2015): y = weight (x - mean) / sqrt(variance + epsilon) +
/// bias, by channel. In training the statistics are the batch's, else the running ones.
package final class BatchNorm: FusibleLayer {
    package let weight: Parameter?
    package let bias: Parameter?
    package let runningMean: Parameter
    package let runningVariance: Parameter
    let channels: Int
    let epsilon: Float
    /// The new batch's share in the running statistics, as PyTorch defines it.
    var momentum: Float

    /// `epsilon`, 1e-5; `momentum`, 0.1; `affine`, true: whether weight and bias exist.
    init(_ blueprint: Blueprint) throws {
        channels = try blueprint.soleInput().channelsHeightWidth.channels
        epsilon = try blueprint.number("epsilon", 0...1e6, or: 1e-5)
        momentum = try blueprint.number("momentum", 0...1, or: 0.1)
        let isAffine = try blueprint.flag("affine", or: true)
        weight = isAffine ? try blueprint.parameter("weight", [channels], initial: .constant(1)) : nil
        bias = isAffine ? try blueprint.parameter("bias", [channels], initial: .constant(0)) : nil
        runningMean = try blueprint.parameter("running_mean", [channels], isTrained: false, initial: .constant(0))
        runningVariance = try blueprint.parameter(
            "running_var", [channels], isTrained: false, allowed: .finiteAndNotNegative, initial: .constant(1))
    }

    package var parameters: [Parameter] { [weight, bias, runningMean, runningVariance].compactMap { $0 } }

    package func outputShape(_ shapes: [Shape]) throws -> Shape {
        let input = try soleInput(shapes, of: runningMean.name)
        guard input.channelsHeightWidth.channels == channels else {
            throw DaflError.invalid("the input of \(runningMean.name)", input, "[\(channels), height, width]")
        }
        return input
    }

    /// With the running statistics it is a line, and its gradient the slope.
    package func backwardReads(trains: Bool) -> BackwardReads { trains ? .inputs : [] }
    package var statisticsReads: BackwardReads { .inputs }

    package func plan(_ site: Site) throws -> any Operation { try BatchNormOperation(site, self, slope: 1) }

    func fused(with next: any Layer, _ compute: Compute) -> (any Layer)? {
        (next as? LeakyReLU).map { ActivatedBatchNorm(self, slope: $0.slope) }
    }
}

/// Batch normalisation followed by LeakyReLU.
final class ActivatedBatchNorm: Layer {
    private let normalisation: BatchNorm
    private let slope: Float

    init(_ normalisation: BatchNorm, slope: Float) {
        self.normalisation = normalisation
        self.slope = slope
    }

    var parameters: [Parameter] { normalisation.parameters }

    func outputShape(_ inputs: [Shape]) throws -> Shape { try normalisation.outputShape(inputs) }

    func backwardReads(trains: Bool) -> BackwardReads { .inputs }

    func plan(_ site: Site) throws -> any Operation { try BatchNormOperation(site, normalisation, slope: slope) }
}

final class BatchNormOperation: Operation {
    private let site: Site
    private let layer: BatchNorm
    private let slope: Float  // of the LeakyReLU that follows; 1 for none
    private let pixels: Int
    private let mean: Tensor
    private let variance: Tensor
    private let inverseDeviation: Tensor
    private let scale: Tensor
    private let shift: Tensor
    private let meanGradient: Tensor
    private let meanGradientXhat: Tensor
    private let zero: Tensor
    private var usesBatchStatistics = false
    private let comparison: StatisticsComparison?

    init(_ site: Site, _ layer: BatchNorm, slope: Float) throws {
        self.site = site
        self.layer = layer
        self.slope = slope
        pixels = site.output.value.elements / layer.channels
        let perChannel = try Shape([layer.channels])
        mean = try Tensor(perChannel)
        variance = try Tensor(perChannel)
        inverseDeviation = try Tensor(perChannel)
        scale = try Tensor(perChannel)
        shift = try Tensor(perChannel)
        meanGradient = try Tensor(perChannel)
        meanGradientXhat = try Tensor(perChannel)
        zero = try Tensor(perChannel)
        comparison = site.statisticsWeight != 0 ? try StatisticsComparison(site, layer) : nil
    }

    var statisticsDistance: Double { comparison?.distance ?? 0 }

    private var kernels: Kernels { site.compute.kernels }
    private var channels: Int { layer.channels }
    private var shape: lane_normalisation {
        lane_normalisation(
            samples: site.samples, channels: channels, pixels: pixels, mean: mean.pointer,
            inverse_deviation: inverseDeviation.pointer, scale: scale.pointer, shift: shift.pointer, slope: slope)
    }

    func forward(training: Bool) {
        let (x, y) = (site.inputs[0].value, site.output.value)
        usesBatchStatistics = training
        precondition(!training || site.trains || site.output.gradient == nil, "a pass that trains gives the gradients by weights")
        if training {
            site.compute.parallel(channels) { range in
                kernels.channel_statistics(
                    x.pointer, site.samples, channels, pixels, mean.pointer, variance.pointer, range.lowerBound,
                    range.upperBound)
            }
            updateRunningStatistics()
        } else {
            mean.load(layer.runningMean.value)
            variance.load(layer.runningVariance.value)
            comparison?.measure()
        }
        for c in 0..<channels {
            inverseDeviation[c] = 1 / (variance[c] + layer.epsilon).squareRoot()
            scale[c] = (layer.weight?.value[c] ?? 1) * inverseDeviation[c]
            shift[c] = (layer.bias?.value[c] ?? 0) - mean[c] * scale[c]
        }
        withUnsafePointer(to: shape) { shape in
            site.compute.parallel(channels) { range in
                kernels.normalise(x.pointer, y.pointer, shape, range.lowerBound, range.upperBound)
            }
        }
    }

    private func updateRunningStatistics() {
        let count = Float(site.samples) * Float(pixels)
        let unbiased = count / max(count - 1, 1)
        for c in 0..<channels {
            layer.runningMean.value[c] += layer.momentum * (mean[c] - layer.runningMean.value[c])
            layer.runningVariance.value[c] += layer.momentum * (variance[c] * unbiased - layer.runningVariance.value[c])
        }
    }

    /// With g the gradient by the normalised x and xhat = (x - mean) / deviation: dbias = sum g, dweight = sum g xhat, and in
    /// training dx = scale (g - mean(g) - xhat mean(g xhat)), because the statistics depend on x too.
    func backward() {
        if !site.trains, slope == 1 {
            scaleGradient()
        } else {
            withUnsafePointer(to: shape) { backward($0) }
        }
        if let dx = site.inputs[0].gradient { comparison?.addGradient(to: dx) }
    }

    /// With the running statistics: dx = scale dy. Does not read x, which need not be kept.
    private func scaleGradient() {
        guard let dy = site.output.gradient, let dx = site.inputs[0].gradient else { return }
        var shape = shape
        shape.shift = UnsafePointer(zero.pointer)
        withUnsafePointer(to: shape) { shape in
            site.compute.parallel(channels) { range in
                kernels.normalise(dy.pointer, dx.pointer, shape, range.lowerBound, range.upperBound)
            }
        }
    }

    private func backward(_ shape: UnsafePointer<lane_normalisation>) {
        guard let dy = site.output.gradient else { return }
        let x = site.inputs[0].value
        if site.trains {  // else nobody asks for the sums, which stay zero
            site.compute.parallel(channels) { range in
                kernels.normalisation_sums(
                    x.pointer, dy.pointer, shape, meanGradient.pointer, meanGradientXhat.pointer, range.lowerBound,
                    range.upperBound)
            }
            layer.bias?.gradient?.load(meanGradient)
            layer.weight?.gradient?.load(meanGradientXhat)
        }
        guard let dx = site.inputs[0].gradient else { return }
        let share = usesBatchStatistics ? 1 / (Float(site.samples) * Float(pixels)) : 0
        for c in 0..<channels {
            meanGradient[c] *= share
            meanGradientXhat[c] *= share
        }
        site.compute.parallel(channels) { range in
            kernels.normalisation_gradient(
                x.pointer, dy.pointer, dx.pointer, shape, meanGradient.pointer, meanGradientXhat.pointer,
                range.lowerBound, range.upperBound)
        }
    }
}
