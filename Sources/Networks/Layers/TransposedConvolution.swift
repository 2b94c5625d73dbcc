import LaneKernels
import Numerics

/// The convolution whose input it makes of the output: each number of the input spreads over the pixels that a convolution would
/// have made it of (Zeiler et al. 2010). Weight [inputs, outputs / groups, kernel, kernel], bias [outputs].
package final class TransposedConvolution: Layer {
    package let weight: Parameter
    package let bias: Parameter?
    private let inputs: Int
    private let outputs: Int
    private let kernel: Extent
    private let stride: Extent
    private let padding: Border
    private let outputPadding: Extent
    private let dilation: Extent
    private let groups: Int

    /// `outputs`, `kernel`; `stride`, 1; `padding`, 0, of the convolution, by which the output is smaller; `output_padding`, 0,
    /// by which it is larger at its end, less than stride or dilation; `dilation`, 1; `groups`, 1; `bias`, true.
    init(_ blueprint: Blueprint) throws {
        inputs = try blueprint.soleInput().channelsHeightWidth.channels
        outputs = try blueprint.whole("outputs", 1...Blueprint.limit)
        kernel = try blueprint.extent("kernel", 1...Blueprint.limit)
        stride = try blueprint.extent("stride", 1...Blueprint.limit, or: .one)
        padding = try blueprint.border("padding")
        outputPadding = try blueprint.extent("output_padding", 0...Blueprint.limit, or: Extent(y: 0, x: 0))
        dilation = try blueprint.extent("dilation", 1...Blueprint.limit, or: .one)
        guard outputPadding.y < max(stride.y, dilation.y), outputPadding.x < max(stride.x, dilation.x) else {
            throw blueprint.invalid("output_padding", "\([outputPadding.y, outputPadding.x])", "below the stride or the dilation")
        }
        groups = try blueprint.whole("groups", 1...Blueprint.limit, or: 1)
        guard inputs % groups == 0, outputs % groups == 0 else {
            throw blueprint.invalid("groups", groups, "a divisor of its \(inputs) inputs and \(outputs) outputs")
        }
        // As PyTorch has it: what of the weights belongs to one input.
        let fan = try Shape([outputs / groups, kernel.y, kernel.x])
        weight = try blueprint.parameter("weight", [inputs] + fan.dimensions, initial: .uniform(fanIn: fan.count))
        bias = try blueprint.flag("bias", or: true)
            ? blueprint.parameter("bias", [outputs], initial: .uniform(fanIn: fan.count)) : nil
    }

    package var parameters: [Parameter] { [weight] + (bias.map { [$0] } ?? []) }

    package func outputShape(_ shapes: [Shape]) throws -> Shape {
        let (_, height, width) = try soleInput(shapes, of: weight.name).channelsHeightWidth
        let rows = (height - 1) * stride.y + (kernel.y - 1) * dilation.y + 1 + outputPadding.y - padding.vertical
        let columns = (width - 1) * stride.x + (kernel.x - 1) * dilation.x + 1 + outputPadding.x - padding.horizontal
        guard rows >= 1, columns >= 1 else {
            throw DaflError.invalid("the output of \(weight.name)", "\([outputs, rows, columns])", "at least a pixel")
        }
        return try Shape([outputs, rows, columns])
    }

    package func multiplyAdds(_ shapes: [Shape], output: Shape) -> Int {
        product(shapes[0].count, outputs / groups, kernel.y, kernel.x)
    }

    package func backwardReads(trains: Bool) -> BackwardReads { trains ? .inputs : [] }

    package func plan(_ site: Site) throws -> any Operation { try TransposedConvolutionOperation(site, self) }

    /// The sizes of the convolution from the output to the input.
    func convolution(from output: Shape, to input: Shape) -> lane_convolution {
        let ((_, height, width), (_, outputHeight, outputWidth)) = (output.channelsHeightWidth, input.channelsHeightWidth)
        return lane_convolution(
            inputs: outputs, input_height: height, input_width: width,
            outputs: inputs, output_height: outputHeight, output_width: outputWidth,
            kernel_height: kernel.y, kernel_width: kernel.x, stride_y: stride.y, stride_x: stride.x,
            padding_top: padding.top, padding_left: padding.left, dilation_y: dilation.y, dilation_x: dilation.x,
            groups: groups)
    }
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
        shape = layer.convolution(from: site.output.value.shape, to: site.inputs[0].value.shape)
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
