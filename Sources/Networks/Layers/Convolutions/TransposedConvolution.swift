import LaneKernels
import Numerics

/// The convolution whose input it makes of the output: each number of the input spreads over the pixels that a convolution would
/// have made it of (Zeiler et al. 2010). Weight [inputs, outputs / groups, kernel, kernel], bias [outputs].
package final class TransposedConvolution: Layer {
    package let weight: Parameter
    package let bias: Parameter?
    let geometry: ConvolutionGeometry
    private let outputPadding: Extent

    /// Those of `ConvolutionGeometry`, whose `padding` makes the output smaller; `output_padding`, 0, by which it is larger at its
    /// end, less than stride or dilation; `bias`, true.
    init(_ blueprint: Blueprint) throws {
        geometry = try ConvolutionGeometry(blueprint)
        let (inputs, outputs, kernel) = (geometry.inputs, geometry.outputs, geometry.kernel)
        let (stride, dilation) = (geometry.stride, geometry.dilation)
        outputPadding = try blueprint.extent("output_padding", 0...Blueprint.limit, or: Extent(y: 0, x: 0))
        guard outputPadding.y < max(stride.y, dilation.y), outputPadding.x < max(stride.x, dilation.x) else {
            throw blueprint.invalid("output_padding", "\([outputPadding.y, outputPadding.x])", "below the stride or the dilation")
        }
        // As PyTorch has it: what of the weights belongs to one input.
        let fan = try Shape([outputs / geometry.groups, kernel.y, kernel.x])
        weight = try blueprint.parameter("weight", [inputs] + fan.dimensions, initial: .uniform(fanIn: fan.count))
        bias = try blueprint.flag("bias", or: true)
            ? blueprint.parameter("bias", [outputs], initial: .uniform(fanIn: fan.count)) : nil
    }

    package var parameters: [Parameter] { [weight] + (bias.map { [$0] } ?? []) }

    package func outputShape(_ shapes: [Shape]) throws -> Shape {
        let (_, height, width) = try soleInput(shapes, of: weight.name).channelsHeightWidth
        let (span, stride, padding) = (geometry.span, geometry.stride, geometry.padding)
        let rows = (height - 1) * stride.y + span.y + outputPadding.y - padding.vertical
        let columns = (width - 1) * stride.x + span.x + outputPadding.x - padding.horizontal
        guard rows >= 1, columns >= 1 else {
            throw DaflError.invalid("the output of \(weight.name)", "\([geometry.outputs, rows, columns])", "at least a pixel")
        }
        return try Shape([geometry.outputs, rows, columns])
    }

    package func multiplyAdds(_ shapes: [Shape], output: Shape) -> Int {
        product(shapes[0].count, geometry.outputs / geometry.groups, geometry.kernel.y, geometry.kernel.x)
    }

    package func backwardReads(trains: Bool) -> BackwardReads { trains ? .inputs : [] }

    package func plan(_ site: Site) throws -> any Operation { try TransposedConvolutionOperation(site, self) }
}

/// The passes of the convolution, in the other direction.
final class TransposedConvolutionOperation: Operation {
    private let site: Site
    private let layer: TransposedConvolution
    private let shape: lane_convolution
    private let packed: Tensor
    private let weightGradient: ConvolutionWeightGradient?
    private let one: Tensor
    private let zero: Tensor

    init(_ site: Site, _ layer: TransposedConvolution) throws {
        self.site = site
        self.layer = layer
        shape = layer.geometry.sizes(from: site.output.value.shape, to: site.inputs[0].value.shape)
        packed = try Tensor(layer.weight.value.shape)
        try site.compute.reserveScratch(withUnsafePointer(to: shape) { site.compute.kernels.convolution_scratch($0) })
        weightGradient = site.trains ? try ConvolutionWeightGradient(site, layer.weight, shape) : nil
        (one, zero) = (try Tensor([shape.inputs]), try Tensor([shape.inputs]))
        one.fill(1)
    }

    private var kernels: Kernels { site.compute.kernels }
    private var pixels: Int { shape.input_height * shape.input_width }

    func forward(training: Bool) {
        let (x, y) = (site.inputs[0].value, site.output.value)
        withUnsafePointer(to: shape) { shape in
            kernels.pack_weights_transposed(shape, layer.weight.value.pointer, packed.pointer)
            site.compute.parallelWithIndex(y.blocks) { thread, blocks in
                kernels.convolve_input_gradient(
                    shape, x.pointer, packed.pointer, y.pointer, site.compute.scratch(of: thread), blocks.lowerBound,
                    blocks.upperBound)
            }
        }
        if let bias = layer.bias { add(bias, to: y) }
    }

    private func add(_ bias: Parameter, to y: Batch) {
        let line = lane_normalisation(
            samples: site.samples, channels: shape.inputs, pixels: pixels, mean: zero.pointer,
            inverse_deviation: zero.pointer, scale: one.pointer, shift: bias.value.pointer, slope: 1)
        withUnsafePointer(to: line) { line in
            site.compute.parallel(shape.inputs) { range in
                kernels.normalise(y.pointer, y.pointer, line, range.lowerBound, range.upperBound)
            }
        }
    }

    func backward() {
        guard let dy = site.output.gradient else { return }
        if let dw = layer.weight.gradient {
            weightGradient?.evaluate(image: dy, gradient: site.inputs[0].value, to: dw)
        }
        if site.trains, let db = layer.bias?.gradient {
            site.compute.parallel(shape.inputs) { range in
                kernels.channel_sums(
                    dy.pointer, dy.blocks, shape.inputs, pixels, db.pointer, range.lowerBound, range.upperBound)
            }
        }
        guard let dx = site.inputs[0].gradient else { return }
        withUnsafePointer(to: shape) { shape in
            kernels.pack_weights(shape, layer.weight.value.pointer, packed.pointer)
            site.compute.parallelWithIndex(dy.blocks) { thread, blocks in
                kernels.convolve(
                    shape, dy.pointer, packed.pointer, nil, dx.pointer, site.compute.scratch(of: thread),
                    blocks.lowerBound, blocks.upperBound)
            }
        }
    }
}
