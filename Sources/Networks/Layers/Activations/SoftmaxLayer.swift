import LaneKernels
import Numerics

/// Softmax along one dimension.
package final class SoftmaxLayer: Layer {
    private let shape: lane_channels

    /// `axis`, 0.
    init(_ blueprint: Blueprint) throws {
        let input = try blueprint.soleInput()
        let axis = try blueprint.axis("axis", of: input)
        let outer = input.dimensions[..<axis].reduce(1, *)
        shape = lane_channels(groups: outer, channels: input[axis], pixels: input.count / outer / input[axis])
    }

    package func outputShape(_ inputs: [Shape]) throws -> Shape { try soleInput(inputs, of: "a softmax") }

    package func backwardReads(trains: Bool) -> BackwardReads { .output }

    package func plan(_ site: Site) throws -> any Operation { SoftmaxOperation(site, shape) }
}

final class SoftmaxOperation: Operation {
    private let site: Site
    private let shape: lane_channels

    init(_ site: Site, _ shape: lane_channels) {
        self.site = site
        self.shape = shape
    }

    func forward(training: Bool) {
        let (x, y) = (site.inputs[0].value, site.output.value)
        withUnsafePointer(to: shape) { shape in
            site.compute.parallel(y.blocks) { blocks in
                site.compute.kernels.softmax_along(shape, x.pointer, y.pointer, blocks.lowerBound, blocks.upperBound)
            }
        }
    }

    func backward() {
        guard let dy = site.output.gradient, let dx = site.inputs[0].gradient else { return }
        let y = site.output.value
        withUnsafePointer(to: shape) { shape in
            site.compute.parallel(y.blocks) { blocks in
                site.compute.kernels.softmax_along_gradient(
                    shape, y.pointer, dy.pointer, dx.pointer, blocks.lowerBound, blocks.upperBound)
            }
        }
    }
}
