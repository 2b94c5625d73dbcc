import LaneKernels
import Numerics

/// 2-D convolution (cross-correlation, as everywhere in the field): weight [outputs, inputs / groups, kernel, kernel],
/// bias [outputs]. The taps of a kernel lie `dilation` pixels apart; each group of outputs sees its own group of inputs.
package final class Convolution: Layer {
    package let weight: Parameter
    package let bias: Parameter?
    let inputs: Int
    let outputs: Int
    let kernel: Extent
    let stride: Extent
    let padding: Border
    let dilation: Extent
    let groups: Int

    /// `outputs`, `kernel`; `stride`, 1; `padding`, 0; `dilation`, 1; `groups`, 1, which divides inputs and outputs: as many as
    /// inputs make a depthwise convolution; `bias`, true.
    init(_ blueprint: Blueprint) throws {
        inputs = try blueprint.soleInput().channelsHeightWidth.channels
        outputs = try blueprint.whole("outputs", 1...Blueprint.limit)
        kernel = try blueprint.extent("kernel", 1...Blueprint.limit)
        stride = try blueprint.extent("stride", 1...Blueprint.limit, or: .one)
        padding = try blueprint.border("padding")
        dilation = try blueprint.extent("dilation", 1...Blueprint.limit, or: .one)
        groups = try blueprint.whole("groups", 1...Blueprint.limit, or: 1)
        guard inputs % groups == 0, outputs % groups == 0 else {
            throw blueprint.invalid("groups", groups, "a divisor of its \(inputs) inputs and \(outputs) outputs")
        }
        let fan = try Shape([inputs / groups, kernel.y, kernel.x])
        weight = try blueprint.parameter("weight", [outputs] + fan.dimensions, initial: .uniform(fanIn: fan.count))
        bias = try blueprint.flag("bias", or: true)
            ? blueprint.parameter("bias", [outputs], initial: .uniform(fanIn: fan.count)) : nil
    }

    package var parameters: [Parameter] { [weight] + (bias.map { [$0] } ?? []) }

    /// Pixels from the first tap to the last, both included.
    private var span: Extent { Extent(y: (kernel.y - 1) * dilation.y + 1, x: (kernel.x - 1) * dilation.x + 1) }

    package func outputShape(_ shapes: [Shape]) throws -> Shape {
        let input = try soleInput(shapes, of: weight.name)
        let (channels, height, width) = input.channelsHeightWidth
        guard channels == inputs, height + padding.vertical >= span.y, width + padding.horizontal >= span.x else {
            throw DaflError.invalid(
                "the input of \(weight.name)", input,
                "[\(inputs), height, width] with height at least \(max(1, span.y - padding.vertical)) and width at least "
                    + "\(max(1, span.x - padding.horizontal))")
        }
        return try Shape([
            outputs, (height + padding.vertical - span.y) / stride.y + 1,
            (width + padding.horizontal - span.x) / stride.x + 1,
        ])
    }

    package func multiplyAdds(_ shapes: [Shape], output: Shape) -> Int {
        product(output.count, inputs / groups, kernel.y, kernel.x)
    }

    package func backwardReads(trains: Bool) -> BackwardReads { trains ? .inputs : [] }

    package func plan(_ site: Site) throws -> any Operation {
        let (_, height, width) = site.inputs[0].value.shape.channelsHeightWidth
        // A kernel as large as its input is a matrix product over the flattened input.
        if padding == .none, dilation.isBoth(1), groups == 1, height == kernel.y, width == kernel.x {
            return try LinearOperation(site, weight: weight, bias: bias)
        }
        if WinogradOperation.pays(self, upsampling: 1, site.compute) {
            return try WinogradOperation(site, self, upsampling: 1)
        }
        return try ConvolutionOperation(
            site, weight: weight, bias: bias, shape: shape(input: site.inputs[0].value.shape, output: site.output.value.shape))
    }

    func shape(input: Shape, output: Shape) -> lane_convolution {
        let ((_, height, width), (_, outputHeight, outputWidth)) = (input.channelsHeightWidth, output.channelsHeightWidth)
        return lane_convolution(
            inputs: inputs, input_height: height, input_width: width,
            outputs: outputs, output_height: outputHeight, output_width: outputWidth,
            kernel_height: kernel.y, kernel_width: kernel.x, stride_y: stride.y, stride_x: stride.x,
            padding_top: padding.top, padding_left: padding.left, dilation_y: dilation.y, dilation_x: dilation.x,
            groups: groups)
    }
}

final class ConvolutionOperation: Operation {
    private let site: Site
    private let weight: Parameter
    private let bias: Parameter?
    private let shape: lane_convolution
    private let packed: Tensor
    private let weightGradient: ConvolutionWeightGradient?

    init(_ site: Site, weight: Parameter, bias: Parameter?, shape: lane_convolution) throws {
        self.site = site
        self.weight = weight
        self.bias = bias
        self.shape = shape
        packed = try Tensor(weight.value.shape)
        let floats = withUnsafePointer(to: shape) { site.compute.kernels.convolution_scratch($0) }
        try site.compute.reserveScratch(floats)
        weightGradient = site.trains ? try ConvolutionWeightGradient(site, weight, shape) : nil
    }

    private var kernels: Kernels { site.compute.kernels }

    func forward(training: Bool) {
        let (x, y) = (site.inputs[0].value, site.output.value)
        withUnsafePointer(to: shape) { shape in
            kernels.pack_weights(shape, weight.value.pointer, packed.pointer)
            site.compute.parallelWithIndex(y.blocks) { thread, blocks in
                kernels.convolve(
                    shape, x.pointer, packed.pointer, bias?.value.pointer, y.pointer,
                    site.compute.scratch(of: thread), blocks.lowerBound, blocks.upperBound)
            }
        }
    }

    func backward() {
        guard let dy = site.output.gradient else { return }
        if let dw = weight.gradient { weightGradient?.evaluate(image: site.inputs[0].value, gradient: dy, to: dw) }
        if site.trains, let db = bias?.gradient {
            let pixels = shape.output_height * shape.output_width
            site.compute.parallel(shape.outputs) { channels in
                kernels.channel_sums(
                    dy.pointer, dy.blocks, shape.outputs, pixels, db.pointer, channels.lowerBound, channels.upperBound)
            }
        }
        withUnsafePointer(to: shape) { shape in
            if let dx = site.inputs[0].gradient {
                kernels.pack_weights_transposed(shape, weight.value.pointer, packed.pointer)
                site.compute.parallelWithIndex(dy.blocks) { thread, blocks in
                    kernels.convolve_input_gradient(
                        shape, dy.pointer, packed.pointer, dx.pointer, site.compute.scratch(of: thread),
                        blocks.lowerBound, blocks.upperBound)
                }
            }
        }
    }
}

/// A convolution's gradient by its weights, of which each thread makes a part.
struct ConvolutionWeightGradient {
    private let compute: Compute
    private let shape: lane_convolution
    private let parts: Tensor?  // of each thread but the first

    init(_ site: Site, _ weight: Parameter, _ shape: lane_convolution) throws {
        (compute, self.shape) = (site.compute, shape)
        let others = min(compute.threads, site.output.value.blocks) - 1
        parts = others > 0 ? try Tensor([others, weight.value.count]) : nil
    }

    /// - Parameters:
    ///   - image: what the convolution takes in.
    ///   - gradient: by what it makes of that.
    func evaluate(image x: Batch, gradient dy: Batch, to dw: Tensor) {
        let (kernels, count) = (compute.kernels, dw.count)
        withUnsafePointer(to: shape) { shape in
            compute.parallelWithIndex(dy.blocks) { thread, blocks in
                var target = dw.pointer
                if thread > 0, let parts { target = parts.pointer + (thread - 1) * count }
                kernels.convolve_weight_gradient(
                    shape, x.pointer, dy.pointer, target, compute.scratch(of: thread), blocks.lowerBound,
                    blocks.upperBound)
            }
        }
        guard let parts else { return }
        for part in 0..<parts.shape[0] {
            for i in 0..<count { dw[i] += parts[part * count + i] }
        }
    }
}
