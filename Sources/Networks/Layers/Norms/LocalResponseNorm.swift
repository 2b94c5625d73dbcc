import LaneKernels
import Numerics

/// Local response normalisation (Krizhevsky, Sutskever and Hinton 2012): y = x / (bias + alpha mean(x^2))^beta, with the
/// mean over the same pixel of `size` channels around, zeros where there is none. Of an even size, one channel more comes
/// after, as in ONNX; in PyTorch it comes before.
package final class LocalResponseNorm: Layer {
    private let shape: lane_responses

    /// `size`; `alpha`, 1e-4; `beta`, 0.75; `bias`, 1.
    init(_ blueprint: Blueprint) throws {
        let input = try blueprint.soleInput()
        let channels = input.channelsHeightWidth.channels
        let size = try blueprint.whole("size", 1...Blueprint.limit)
        shape = lane_responses(
            channels: channels, pixels: input.count / channels, before: (size - 1) / 2, after: size / 2,
            alpha: try blueprint.number("alpha", 0...1e6, or: 1e-4),
            beta: try blueprint.number("beta", 0...100, or: 0.75),
            bias: try blueprint.number("bias", 1e-6...1e6, or: 1))
    }

    package func outputShape(_ inputs: [Shape]) throws -> Shape {
        try soleInput(inputs, of: "a local response normalisation")
    }

    package func plan(_ site: Site) throws -> any Operation { try LocalResponseNormOperation(site, shape) }
}

final class LocalResponseNormOperation: Operation {
    private let site: Site
    private let shape: lane_responses
    private let scales: Batch

    init(_ site: Site, _ shape: lane_responses) throws {
        self.site = site
        self.shape = shape
        scales = try Batch(samples: site.samples, shape: site.output.value.shape)
    }

    func forward(training: Bool) {
        let (x, y, kernels) = (site.inputs[0].value, site.output.value, site.compute.kernels)
        withUnsafePointer(to: shape) { shape in
            site.compute.parallel(y.blocks) { blocks in
                kernels.normalise_responses(
                    shape, x.pointer, y.pointer, scales.pointer, blocks.lowerBound, blocks.upperBound)
            }
        }
    }

    func backward() {
        guard let dy = site.output.gradient, let dx = site.inputs[0].gradient else { return }
        let (x, y, kernels) = (site.inputs[0].value, site.output.value, site.compute.kernels)
        withUnsafePointer(to: shape) { shape in
            site.compute.parallel(y.blocks) { blocks in
                kernels.responses_gradient(
                    shape, x.pointer, y.pointer, scales.pointer, dy.pointer, dx.pointer, blocks.lowerBound,
                    blocks.upperBound)
            }
        }
    }
}
