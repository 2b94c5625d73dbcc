import LaneKernels
import Numerics

/// A 3 x 3 convolution of stride 1 and padding 1 by Winograd's algorithm, of an image or of its upsampling by 2, which is
/// never made.
final class WinogradOperation: Operation {
    private let site: Site
    private let weight: Parameter
    private let bias: Parameter?
    private let shape: lane_winograd
    private let transformed: TransformedWeights
    private let transposed: TransformedWeights
    private let parts: Int  // of the gradient by the weights, each of a thread
    private let sumsOfThread: Int
    private let biasSums: Tensor?

    /// Whether the algorithm fits the convolution and beats the direct one.
    static func pays(_ convolution: Convolution, upsampling: Int, _ compute: Compute) -> Bool {
        let geometry = convolution.geometry
        let (inputs, outputs) = (geometry.inputs, geometry.outputs)
        // The transforms cost about as much as so many multiplications for each channel.
        let transforms = upsampling == 2 ? 2 : 4
        return compute.usesWinograd && geometry.fitsWinograd && geometry.padding.isAll(1)
            && inputs * outputs >= transforms * (inputs + outputs)
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
        self.sumsOfThread = sumsOfThread
        try compute.reserveScratch(scratch)
        transformed = try TransformedWeights(of: weight.value, count: weights, site)
        transposed = try TransformedWeights(of: weight.value, count: weights, site)
        parts = min(compute.threads, site.output.value.blocks)
        if site.trains { try compute.reserveSharedScratch(parts * sumsOfThread) }
        biasSums = site.trains ? try Tensor([parts, convolution.geometry.outputs]) : nil
    }

    private var kernels: Kernels { site.compute.kernels }

    func forward(training: Bool) {
        let (x, y) = (site.inputs[0].value, site.output.value)
        withUnsafePointer(to: shape) { shape in
            let transformed = transformed.made { target in
                site.compute.parallel(kernels.winograd_weight_tasks(shape)) { tasks in
                    kernels.winograd_transform_weights(
                        shape, weight.value.pointer, target, tasks.lowerBound, tasks.upperBound)
                }
            }
            site.compute.parallelWithIndex(y.blocks) { thread, blocks in
                kernels.winograd_convolve(
                    shape, x.pointer, transformed, bias?.value.pointer, y.pointer,
                    site.compute.scratch(of: thread), blocks.lowerBound, blocks.upperBound)
            }
        }
    }

    func backward() {
        guard let dy = site.output.gradient else { return }
        withUnsafePointer(to: shape) { shape in
            if let dw = weight.gradient, let biasSums { weightGradient(shape, dy, dw, biasSums) }
            if let dx = site.inputs[0].gradient {
                let transposed = transposed.made { target in
                    site.compute.parallel(kernels.winograd_weight_tasks_transposed(shape)) { tasks in
                        kernels.winograd_transform_weights_transposed(
                            shape, weight.value.pointer, target, tasks.lowerBound, tasks.upperBound)
                    }
                }
                site.compute.parallelWithIndex(dy.blocks) { thread, blocks in
                    kernels.winograd_input_gradient(
                        shape, dy.pointer, transposed, dx.pointer, site.compute.scratch(of: thread),
                        blocks.lowerBound, blocks.upperBound)
                }
            }
        }
    }

    private func weightGradient(
        _ shape: UnsafePointer<lane_winograd>, _ dy: Batch, _ dw: Tensor, _ biasSums: Tensor
    ) {
        let (x, sums, outputs) = (site.inputs[0].value, site.compute.sharedScratch, biasSums.shape[1])
        site.compute.parallelWithIndex(dy.blocks) { thread, blocks in
            kernels.winograd_weight_gradient(
                shape, x.pointer, dy.pointer, sums + thread * sumsOfThread, biasSums.pointer + thread * outputs,
                site.compute.scratch(of: thread), blocks.lowerBound, blocks.upperBound)
        }
        site.compute.parallel(kernels.winograd_finish_tasks(shape)) { tasks in
            kernels.winograd_finish_weight_gradient(
                shape, sums, parts, dw.pointer, tasks.lowerBound, tasks.upperBound)
        }
        if let db = bias?.gradient {
            for o in 0..<outputs { db[o] = (0..<parts).reduce(0) { $0 + biasSums[$1 * outputs + o] } }
        }
    }
}

/// A convolution's weights as Winograd's algorithm takes them.
///
/// Those of a network that does not learn, such as a teacher, are kept from one pass to the next, unless they are larger than
/// what the layer works on: then they are made anew each time in memory that all layers share, as are those that change.
private final class TransformedWeights {
    private let weight: Tensor
    private let compute: Compute
    private let kept: Tensor?
    private var version: Int?

    init(of weight: Tensor, count: Int, _ site: Site) throws {
        (self.weight, compute) = (weight, site.compute)
        let isWorthIt = !site.trains && count <= site.inputs[0].value.count + site.output.value.count
        kept = isWorthIt ? try Tensor([count]) : nil
        if kept == nil { try compute.reserveSharedScratch(count) }
    }

    /// Returns them as they are now; `transform` writes them.
    func made(_ transform: (UnsafeMutablePointer<Float>) -> Void) -> UnsafeMutablePointer<Float> {
        guard let kept else {
            transform(compute.sharedScratch)
            return compute.sharedScratch
        }
        if version != weight.version { transform(kept.pointer) }
        version = weight.version
        return kept.pointer
    }
}
