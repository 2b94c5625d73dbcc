import LaneKernels
import Numerics

/// y = x where x is positive, else weight x, with a weight for each channel or for all of them (He et al. 2015).
package final class PReLU: Layer {
    let weight: Parameter

    /// `count` of weights: 1, or the channels, the default; `initial`, 0.25.
    init(_ blueprint: Blueprint) throws {
        let channels = try blueprint.soleInput().channelsHeightWidth.channels
        let count = try blueprint.whole("count", 1...Int.max, or: channels)
        guard count == 1 || count == channels else { throw blueprint.invalid("count", count, "1 or \(channels)") }
        weight = try blueprint.parameter(
            "weight", [count], initial: .constant(try blueprint.number("initial", -1e6...1e6, or: 0.25)))
    }

    package var parameters: [Parameter] { [weight] }

    package func outputShape(_ inputs: [Shape]) throws -> Shape { try soleInput(inputs, of: weight.name) }

    package func backwardReads(trains: Bool) -> BackwardReads { .inputs }

    package func plan(_ site: Site) throws -> any Operation { PReLUOperation(site, weight) }
}

final class PReLUOperation: Operation {
    private let site: Site
    private let weight: Parameter
    private let shape: lane_channels

    init(_ site: Site, _ weight: Parameter) {
        self.site = site
        self.weight = weight
        let channels = weight.value.count
        shape = lane_channels(groups: 1, channels: channels, pixels: site.output.value.elements / channels)
    }

    func forward(training: Bool) {
        let (x, y, kernels) = (site.inputs[0].value, site.output.value, site.compute.kernels)
        withUnsafePointer(to: shape) { shape in
            site.compute.parallel(y.blocks) { blocks in
                kernels.prelu(
                    shape, x.pointer, weight.value.pointer, y.pointer, blocks.lowerBound, blocks.upperBound)
            }
        }
    }

    func backward() {
        guard let dy = site.output.gradient else { return }
        let (x, kernels) = (site.inputs[0].value, site.compute.kernels)
        withUnsafePointer(to: shape) { shape in
            if site.trains, let byWeight = weight.gradient {
                site.compute.parallel(shape.pointee.channels) { range in
                    kernels.prelu_slope_gradient(
                        shape, x.pointer, dy.pointer, byWeight.pointer, dy.blocks, range.lowerBound, range.upperBound)
                }
            }
            guard let dx = site.inputs[0].gradient else { return }
            site.compute.parallel(dy.blocks) { blocks in
                kernels.prelu_gradient(
                    shape, x.pointer, weight.value.pointer, dy.pointer, dx.pointer, blocks.lowerBound, blocks.upperBound)
            }
        }
    }
}
