import Numerics

/// y = x where x is positive, else slope x. Slope 0 is ReLU.
package final class LeakyReLU: FusibleLayer {
    let slope: Float

    /// - Parameter slope: at least 0.
    init(slope: Float) {
        self.slope = slope
    }

    /// `slope`, 0.01.
    convenience init(_ blueprint: Blueprint) throws {
        // A negative slope would leave the sign of x unknown, of which the gradient is made.
        self.init(slope: try blueprint.number("slope", 0...1e6, or: 0.01))
    }

    package func outputShape(_ inputs: [Shape]) throws -> Shape { try soleInput(inputs, of: "a leaky ReLU") }

    package func backwardReads(trains: Bool) -> BackwardReads { .output }

    package func plan(_ site: Site) throws -> any Operation { LeakyReLUOperation(site, slope: slope) }

    func fused(with next: any Layer, _ compute: Compute) -> (any Layer)? {
        slope == 0 ? (next as? Pooling)?.rectifying() : nil
    }
}

final class LeakyReLUOperation: Operation {
    private let site: Site
    private let slope: Float

    init(_ site: Site, slope: Float) {
        self.site = site
        self.slope = slope
    }

    func forward(training: Bool) {
        let (x, y) = (site.inputs[0].value, site.output.value)
        site.compute.parallelFloats(y.count) { start, count in
            site.compute.kernels.leaky_relu(x.pointer + start, y.pointer + start, slope, count)
        }
    }

    func backward() {
        guard let dy = site.output.gradient, let dx = site.inputs[0].gradient else { return }
        let y = site.output.value
        site.compute.parallelFloats(y.count) { start, count in
            site.compute.kernels.leaky_relu_gradient(
                y.pointer + start, dy.pointer + start, dx.pointer + start, slope, count)
        }
    }
}

package final class Tanh: Layer {
    package func outputShape(_ inputs: [Shape]) throws -> Shape { try soleInput(inputs, of: "tanh") }

    package func backwardReads(trains: Bool) -> BackwardReads { .output }

    package func plan(_ site: Site) throws -> any Operation { TanhOperation(site) }
}

final class TanhOperation: Operation {
    private let site: Site

    init(_ site: Site) {
        self.site = site
    }

    func forward(training: Bool) {
        let (x, y) = (site.inputs[0].value, site.output.value)
        site.compute.parallelFloats(y.count) { start, count in
            site.compute.kernels.tanh(x.pointer + start, y.pointer + start, count)
        }
    }

    /// tanh' = 1 - tanh^2.
    func backward() {
        guard let dy = site.output.gradient, let dx = site.inputs[0].gradient else { return }
        let y = site.output.value
        site.compute.parallelFloats(y.count) { start, count in
            site.compute.kernels.tanh_gradient(y.pointer + start, dy.pointer + start, dx.pointer + start, count)
        }
    }
}
