import LaneKernels
import Numerics

/// Between inputs in units of their own, such as pixels from 0 to 255, and the standardised ones that networks learn from:
/// y = (x - mean) / deviation, or back, y = x deviation + mean.
///
/// `InputUnits` says what mean and deviation are of. They are buffers: no training changes them.
package final class UnitScaling: Layer {
    package enum Direction: String, CaseIterable { case standardising, restoring }

    let units: InputUnits
    let direction: Direction

    /// `count`, how many means and deviations: see `InputUnits`; `direction`.
    init(_ blueprint: Blueprint) throws {
        units = try InputUnits(count: blueprint.whole("count", 1...Int.max))
        direction = try blueprint.choice("direction", or: Direction.standardising)
    }

    package var parameters: [Parameter] { [units.mean, units.deviation] }

    package func outputShape(_ inputs: [Shape]) throws -> Shape {
        let input = try soleInput(inputs, of: "a scaling of units")
        try InputUnits.require(count: units.count, fitting: input)
        return input
    }

    package func backwardReads(trains: Bool) -> BackwardReads { .inputs }

    package func plan(_ site: Site) throws -> any Operation { try UnitScalingOperation(site, self) }

    /// scale and shift of y = scale x + shift, for the number at a place of mean and deviation.
    func line(_ place: Int) -> (scale: Float, shift: Float) {
        let (mean, deviation) = (units.mean.value[place], units.deviation.value[place])
        return direction == .restoring ? (deviation, mean) : (1 / deviation, -mean / deviation)
    }
}

final class UnitScalingOperation: Operation {
    private let site: Site
    private let layer: UnitScaling
    // In the kernels' eyes each number with a scale of its own is a channel.
    private let channels: Int
    private let scale: Tensor
    private let shift: Tensor
    private let zero: Tensor

    init(_ site: Site, _ layer: UnitScaling) throws {
        self.site = site
        self.layer = layer
        let shape = site.output.value.shape
        channels = layer.units.count == shape.count ? shape.count : shape.channelsHeightWidth.channels
        (scale, shift, zero) = (try Tensor([channels]), try Tensor([channels]), try Tensor([channels]))
    }

    private var shape: lane_normalisation {
        lane_normalisation(
            samples: site.samples, channels: channels, pixels: site.output.value.elements / channels, mean: zero.pointer,
            inverse_deviation: zero.pointer, scale: scale.pointer, shift: shift.pointer, slope: 1)
    }

    func forward(training: Bool) {
        for c in 0..<channels { (scale[c], shift[c]) = layer.line(layer.units.count == 1 ? 0 : c) }
        let (x, y, kernels) = (site.inputs[0].value, site.output.value, site.compute.kernels)
        withUnsafePointer(to: shape) { shape in
            site.compute.parallel(channels) { range in
                kernels.normalise(x.pointer, y.pointer, shape, range.lowerBound, range.upperBound)
            }
        }
    }

    /// dx = scale dy.
    func backward() {
        guard let dy = site.output.gradient, let dx = site.inputs[0].gradient else { return }
        let (x, kernels) = (site.inputs[0].value, site.compute.kernels)
        withUnsafePointer(to: shape) { shape in
            site.compute.parallel(channels) { range in
                kernels.normalisation_gradient(
                    x.pointer, dy.pointer, dx.pointer, shape, zero.pointer, zero.pointer, range.lowerBound, range.upperBound)
            }
        }
    }
}

extension Network {
    /// A network that does nothing but this.
    package convenience init(scaling shape: Shape, _ units: InputUnits, _ direction: UnitScaling.Direction) throws {
        var graph = Graph("units", input: shape.dimensions)
        graph.add(units: units.count, direction)
        try self.init(graph)
        load(units)
    }

    /// Sets what its unit scalings hold.
    func load(_ units: InputUnits) {
        for case let scaling as UnitScaling in nodes.map(\.layer) { scaling.units.load(units) }
    }
}
