import LaneKernels
import Numerics

/// 2-D convolution (cross-correlation, as everywhere in the field): weight [outputs, inputs / groups, kernel, kernel],
/// bias [outputs]. The taps of a kernel lie `dilation` pixels apart; each group of outputs sees its own group of inputs.
package final class Convolution: Layer {
    package let weight: Parameter
    package let bias: Parameter?
    package let geometry: ConvolutionGeometry

    /// Those of `ConvolutionGeometry`; `bias`, true.
    init(_ blueprint: Blueprint) throws {
        geometry = try ConvolutionGeometry(blueprint)
        let (outputs, kernel) = (geometry.outputs, geometry.kernel)
        let fan = try Shape([geometry.inputs / geometry.groups, kernel.y, kernel.x])
        weight = try blueprint.parameter("weight", [outputs] + fan.dimensions, initial: .uniform(fanIn: fan.count))
        bias = try blueprint.flag("bias", or: true)
            ? blueprint.parameter("bias", [outputs], initial: .uniform(fanIn: fan.count)) : nil
    }

    package var parameters: [Parameter] { [weight] + (bias.map { [$0] } ?? []) }

    package func outputShape(_ shapes: [Shape]) throws -> Shape {
        let input = try soleInput(shapes, of: weight.name)
        let (channels, height, width) = input.channelsHeightWidth
        let (span, stride, padding) = (geometry.span, geometry.stride, geometry.padding)
        guard channels == geometry.inputs, height + padding.vertical >= span.y, width + padding.horizontal >= span.x else {
            throw DaflError.invalid(
                "the input of \(weight.name)", input,
                "[\(geometry.inputs), height, width] with height at least \(max(1, span.y - padding.vertical)) and width at least "
                    + "\(max(1, span.x - padding.horizontal))")
        }
        return try Shape([
            geometry.outputs, (height + padding.vertical - span.y) / stride.y + 1,
            (width + padding.horizontal - span.x) / stride.x + 1,
        ])
    }

    package func multiplyAdds(_ shapes: [Shape], output: Shape) -> Int {
        product(output.count, geometry.inputs / geometry.groups, geometry.kernel.y, geometry.kernel.x)
    }

    package func backwardReads(trains: Bool) -> BackwardReads { trains ? .inputs : [] }

    package func plan(_ site: Site) throws -> any Operation {
        let (_, height, width) = site.inputs[0].value.shape.channelsHeightWidth
        // A kernel as large as its input is a matrix product over the flattened input.
        let kernel = geometry.kernel
        if geometry.padding == .none, geometry.dilation.isBoth(1), geometry.groups == 1, height == kernel.y, width == kernel.x {
            return try LinearOperation(site, weight: weight, bias: bias)
        }
        if WinogradOperation.pays(self, upsampling: 1, site.compute) {
            return try WinogradOperation(site, self, upsampling: 1)
        }
        return try ConvolutionOperation(
            site, weight: weight, bias: bias,
            shape: geometry.sizes(from: site.inputs[0].value.shape, to: site.output.value.shape))
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
    private let others: Int  // threads but the first, each of which makes a part

    init(_ site: Site, _ weight: Parameter, _ shape: lane_convolution) throws {
        (compute, self.shape) = (site.compute, shape)
        others = min(compute.threads, site.output.value.blocks) - 1
        try compute.reserveSharedScratch(others * weight.value.count)
    }

    /// - Parameters:
    ///   - image: what the convolution takes in.
    ///   - gradient: by what it makes of that.
    func evaluate(image x: Batch, gradient dy: Batch, to dw: Tensor) {
        let (kernels, count) = (compute.kernels, dw.count)
        withUnsafePointer(to: shape) { shape in
            compute.parallelWithIndex(dy.blocks) { thread, blocks in
                let target = thread == 0 ? dw.pointer : compute.sharedScratch + (thread - 1) * count
                kernels.convolve_weight_gradient(
                    shape, x.pointer, dy.pointer, target, compute.scratch(of: thread), blocks.lowerBound,
                    blocks.upperBound)
            }
        }
        for part in 0..<others {
            let sums = compute.sharedScratch + part * count
            for i in 0..<count { dw[i] += sums[i] }
        }
    }
}
