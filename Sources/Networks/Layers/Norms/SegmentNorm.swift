import LaneKernels
import Numerics

/// Normalisation of parts of a sample by their own mean and variance:
/// y = weight (x - mean) / sqrt(variance + epsilon) + bias.
package final class SegmentNorm: Layer {
    let weight: Parameter?
    let bias: Parameter?
    let layout: lane_channels
    let segments: Int
    let epsilon: Float

    private init(
        _ blueprint: Blueprint, _ layout: lane_channels, segments: Int, weights: [Int], isAffine: Bool
    ) throws {
        (self.layout, self.segments) = (layout, segments)
        epsilon = try blueprint.number("epsilon", 1e-30...1e6, or: 1e-5)
        let isAffine = try blueprint.flag("affine", or: isAffine)
        weight = isAffine ? try blueprint.parameter("weight", weights, initial: .constant(1)) : nil
        bias = isAffine ? try blueprint.parameter("bias", weights, initial: .constant(0)) : nil
    }

    /// Layer normalisation (Ba, Kiros and Hinton 2016), over the last `dimensions`, 1; `epsilon`, 1e-5; `affine`, true.
    static func layer(_ blueprint: Blueprint) throws -> SegmentNorm {
        let input = try blueprint.soleInput()
        let last = Array(input.dimensions.suffix(try blueprint.whole("dimensions", 1...max(input.rank, 1), or: 1)))
        let length = last.reduce(1, *)
        let segments = input.count / length
        return try SegmentNorm(
            blueprint, lane_channels(groups: segments, channels: length, pixels: 1), segments: segments, weights: last,
            isAffine: true)
    }

    /// Group normalisation (Wu and He 2018) of `groups` of channels; `epsilon`, 1e-5; `affine`, true.
    static func group(_ blueprint: Blueprint) throws -> SegmentNorm {
        let input = try blueprint.soleInput()
        let channels = input.channelsHeightWidth.channels
        let groups = try blueprint.whole("groups", 1...channels)
        guard channels % groups == 0 else {
            throw blueprint.invalid("groups", groups, "a divisor of the number of channels, \(channels)")
        }
        return try SegmentNorm(
            blueprint, lane_channels(groups: 1, channels: channels, pixels: input.count / channels), segments: groups,
            weights: [channels], isAffine: true)
    }

    /// Instance normalisation (Ulyanov, Vedaldi and Lempitsky 2016) of each channel; `epsilon`, 1e-5; `affine`, false.
    static func instance(_ blueprint: Blueprint) throws -> SegmentNorm {
        let input = try blueprint.soleInput()
        let channels = input.channelsHeightWidth.channels
        return try SegmentNorm(
            blueprint, lane_channels(groups: 1, channels: channels, pixels: input.count / channels),
            segments: channels, weights: [channels], isAffine: false)
    }

    package var parameters: [Parameter] { [weight, bias].compactMap { $0 } }

    package func outputShape(_ inputs: [Shape]) throws -> Shape { try soleInput(inputs, of: "a normalisation") }

    package func backwardReads(trains: Bool) -> BackwardReads { .inputs }

    package func plan(_ site: Site) throws -> any Operation { try SegmentNormOperation(site, self) }
}

final class SegmentNormOperation: Operation {
    private let site: Site
    private let layer: SegmentNorm
    private let means: Batch
    private let inverseDeviations: Batch

    init(_ site: Site, _ layer: SegmentNorm) throws {
        self.site = site
        self.layer = layer
        let perSegment = try Shape([layer.segments])
        means = try Batch(samples: site.samples, shape: perSegment)
        inverseDeviations = try Batch(samples: site.samples, shape: perSegment)
    }

    private var shape: lane_segments {
        lane_segments(
            layout: layer.layout, segments: layer.segments,
            weight: (layer.weight?.value.pointer).map { UnsafePointer($0) },
            bias: (layer.bias?.value.pointer).map { UnsafePointer($0) }, epsilon: layer.epsilon)
    }

    func forward(training: Bool) {
        let (x, y, kernels) = (site.inputs[0].value, site.output.value, site.compute.kernels)
        withUnsafePointer(to: shape) { shape in
            site.compute.parallel(y.blocks) { blocks in
                kernels.normalise_segments(
                    shape, x.pointer, y.pointer, means.pointer, inverseDeviations.pointer, blocks.lowerBound,
                    blocks.upperBound)
            }
        }
    }

    func backward() {
        guard let dy = site.output.gradient else { return }
        let (x, kernels) = (site.inputs[0].value, site.compute.kernels)
        withUnsafePointer(to: shape) { shape in
            if site.trains, let byWeight = layer.weight?.gradient, let byBias = layer.bias?.gradient {
                site.compute.parallel(layer.layout.channels) { range in
                    kernels.segment_parameter_gradients(
                        shape, x.pointer, dy.pointer, means.pointer, inverseDeviations.pointer, byWeight.pointer,
                        byBias.pointer, dy.blocks, range.lowerBound, range.upperBound)
                }
            }
            guard let dx = site.inputs[0].gradient else { return }
            site.compute.parallel(dy.blocks) { blocks in
                kernels.segments_gradient(
                    shape, x.pointer, dy.pointer, means.pointer, inverseDeviations.pointer, dx.pointer,
                    blocks.lowerBound, blocks.upperBound)
            }
        }
    }
}
