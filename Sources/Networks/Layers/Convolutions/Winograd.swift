import LaneKernels
import Numerics

/// A 3 x 3 convolution of stride 1 and padding 1 by Winograd's algorithm, of an image or of its upsampling by 2, which is
/// never made.
final class WinogradOperation: Operation {
    private let site: Site
    private let weight: Parameter
    private let bias: Parameter?
    private let shape: lane_winograd
    private let transformed: Tensor
    private let transposed: Tensor?
    private let sums: Tensor?  // of each thread, for the gradient by the weights
    private let biasSums: Tensor?  // and by the bias

    /// Whether the algorithm fits the convolution and beats the direct one.
    static func pays(_ convolution: Convolution, upsampling: Int, _ compute: Compute) -> Bool {
        let geometry = convolution.geometry
        let (inputs, outputs) = (geometry.inputs, geometry.outputs)
        // The transforms cost about as much as so many multiplications for each channel.
        let transforms = upsampling == 2 ? 2 : 4
        return compute.usesWinograd && geometry.kernel.isBoth(3) && geometry.stride.isBoth(1) && geometry.padding.isAll(1)
            && geometry.dilation.isBoth(1) && geometry.groups == 1 && inputs * outputs >= transforms * (inputs + outputs)
    }

    /// - Parameter upsampling: 2 to convolve the input's upsampling by 2, else 1.
    init(_ site: Site, _ convolution: Convolution, upsampling: Int) throws {
        self.site = site
        weight = convolution.weight
        bias = convolution.bias
        let (_, height, width) = site.output.value.shape.channelsHeightWidth
        shape = lane_winograd(
            inputs: convolution.geometry.inputs, outputs: convolution.geometry.outputs, height: height, width: width,
            upsampling: upsampling)
        let (compute, kernels) = (site.compute, site.compute.kernels)
        let (weights, scratch, sumsOfThread) = withUnsafePointer(to: shape) {
            (kernels.winograd_weights($0), kernels.winograd_scratch($0), kernels.winograd_sums_size($0))
        }
        try compute.reserveScratch(scratch)
        transformed = try Tensor([weights])
        transposed = site.inputs[0].gradient == nil ? nil : try Tensor([weights])
        let parts = min(compute.threads, site.output.value.blocks)
        sums = site.trains ? try Tensor([parts, sumsOfThread]) : nil
        biasSums = site.trains ? try Tensor([parts, convolution.geometry.outputs]) : nil
    }

    private var kernels: Kernels { site.compute.kernels }

    func forward(training: Bool) {
        let (x, y) = (site.inputs[0].value, site.output.value)
        withUnsafePointer(to: shape) { shape in
            site.compute.parallel(kernels.winograd_weight_tasks(shape)) { tasks in
                kernels.winograd_transform_weights(
                    shape, weight.value.pointer, transformed.pointer, tasks.lowerBound, tasks.upperBound)
            }
            site.compute.parallelWithIndex(y.blocks) { thread, blocks in
                kernels.winograd_convolve(
                    shape, x.pointer, transformed.pointer, bias?.value.pointer, y.pointer,
                    site.compute.scratch(of: thread), blocks.lowerBound, blocks.upperBound)
            }
        }
    }

    func backward() {
        guard let dy = site.output.gradient else { return }
        withUnsafePointer(to: shape) { shape in
            if let dw = weight.gradient, let sums, let biasSums { weightGradient(shape, dy, dw, sums, biasSums) }
            if let dx = site.inputs[0].gradient, let transposed {
                site.compute.parallel(kernels.winograd_weight_tasks_transposed(shape)) { tasks in
                    kernels.winograd_transform_weights_transposed(
                        shape, weight.value.pointer, transposed.pointer, tasks.lowerBound, tasks.upperBound)
                }
                site.compute.parallelWithIndex(dy.blocks) { thread, blocks in
                    kernels.winograd_input_gradient(
                        shape, dy.pointer, transposed.pointer, dx.pointer, site.compute.scratch(of: thread),
                        blocks.lowerBound, blocks.upperBound)
                }
            }
        }
    }

    private func weightGradient(
        _ shape: UnsafePointer<lane_winograd>, _ dy: Batch, _ dw: Tensor, _ sums: Tensor, _ biasSums: Tensor
    ) {
        let (x, parts, outputs) = (site.inputs[0].value, sums.shape[0], biasSums.shape[1])
        site.compute.parallelWithIndex(dy.blocks) { thread, blocks in
            kernels.winograd_weight_gradient(
                shape, x.pointer, dy.pointer, sums.pointer + thread * sums.shape[1], biasSums.pointer + thread * outputs,
                site.compute.scratch(of: thread), blocks.lowerBound, blocks.upperBound)
        }
        site.compute.parallel(kernels.winograd_finish_tasks(shape)) { tasks in
            kernels.winograd_finish_weight_gradient(
                shape, sums.pointer, parts, dw.pointer, tasks.lowerBound, tasks.upperBound)
        }
        if let db = bias?.gradient {
            for o in 0..<outputs { db[o] = (0..<parts).reduce(0) { $0 + biasSums[$1 * outputs + o] } }
        }
    }
}
