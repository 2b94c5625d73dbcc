import LaneKernels
import Numerics

/// An image in another size, each of whose pixels lies somewhere between four of the input's.
package final class Resampling: Layer {
    enum Mode: String, CaseIterable { case nearest, bilinear }
    enum Alignment: String, CaseIterable {
        /// Both images' outer edges lie on each other.
        case halfPixel = "half_pixel"
        /// The middles of the pixels in both images' corners do.
        case corners
        /// The middles of the first pixels do.
        case asymmetric
    }

    private let size: Extent
    private let mode: Mode
    private let alignment: Alignment

    /// `factor`, 2, or `size`, each [vertical, horizontal] or the same for both; `mode`, "nearest"; `alignment`,
    /// "half_pixel".
    static func layer(_ blueprint: Blueprint) throws -> any Layer {
        let input = try blueprint.soleInput()
        let mode = try blueprint.choice("mode", or: Mode.nearest)
        let alignment = try blueprint.choice("alignment", or: Alignment.halfPixel)
        let (channels, height, width) = input.channelsHeightWidth
        guard channels * height * width == input.count else {
            throw blueprint.invalid("the input's shape", input, "[channels, height, width]")
        }
        guard blueprint.node.attributes["size"] == nil else {
            return Resampling(try blueprint.extent("size", 1...Blueprint.limit), mode, alignment)
        }
        let factor = try blueprint.extent("factor", 1...1024, or: Extent(y: 2, x: 2))
        // Every pixel as a whole square of pixels has a kernel of its own.
        if mode == .nearest, alignment != .corners, factor.y == factor.x { return Upsampling(factor: factor.y) }
        return Resampling(Extent(y: factor.y * height, x: factor.x * width), mode, alignment)
    }

    private init(_ size: Extent, _ mode: Mode, _ alignment: Alignment) {
        (self.size, self.mode, self.alignment) = (size, mode, alignment)
    }

    package func outputShape(_ inputs: [Shape]) throws -> Shape {
        try Shape([soleInput(inputs, of: "resampling").channelsHeightWidth.channels, size.y, size.x])
    }

    package func backwardReads(trains: Bool) -> BackwardReads { [] }

    package func plan(_ site: Site) throws -> any Operation {
        let (_, height, width) = site.inputs[0].value.shape.channelsHeightWidth
        return ResamplingOperation(
            site, rows: try places(size.y, of: height), columns: try places(size.x, of: width))
    }

    /// Where `size` rows or columns lie among `input` of them.
    func places(_ size: Int, of input: Int) throws -> Table<lane_between> {
        let last = Double(input - 1)
        return try Table(count: size) { i in
            let place: Double =
                switch alignment {
                case .halfPixel: (Double(i) + 0.5) * Double(input) / Double(size) - 0.5
                case .corners: size == 1 ? 0 : Double(i) * last / Double(size - 1)
                case .asymmetric: Double(i) * Double(input) / Double(size)
                }
            let inside = min(max(place, 0), last)
            switch mode {
            case .nearest:
                // Of two as near, as PyTorch: the later one, but the earlier one when first pixels are aligned.
                let nearest = alignment == .asymmetric ? inside.rounded(.down) : (inside + 0.5).rounded(.down)
                let pixel = Int(min(nearest, last))
                return lane_between(first: pixel, second: pixel, share: 0)
            case .bilinear:
                let first = Int(inside)
                return lane_between(
                    first: first, second: min(first + 1, input - 1), share: Float(inside - Double(first)))
            }
        }
    }
}

final class ResamplingOperation: Operation {
    private let site: Site
    private let rows: Table<lane_between>
    private let columns: Table<lane_between>
    private let planes: Int
    private let shape: lane_resampling

    init(_ site: Site, rows: Table<lane_between>, columns: Table<lane_between>) {
        (self.site, self.rows, self.columns) = (site, rows, columns)
        let (channels, height, width) = site.inputs[0].value.shape.channelsHeightWidth
        planes = channels * site.output.value.blocks
        shape = lane_resampling(
            input_height: height, input_width: width, output_height: rows.count, output_width: columns.count,
            rows: rows.pointer, columns: columns.pointer)
    }

    func forward(training: Bool) {
        let (x, y) = (site.inputs[0].value, site.output.value)
        withUnsafePointer(to: shape) { shape in
            site.compute.parallel(planes) { range in
                site.compute.kernels.resample(shape, x.pointer, y.pointer, range.lowerBound, range.upperBound)
            }
        }
    }

    func backward() {
        guard let dy = site.output.gradient, let dx = site.inputs[0].gradient else { return }
        withUnsafePointer(to: shape) { shape in
            site.compute.parallel(planes) { range in
                site.compute.kernels.resample_gradient(
                    shape, dy.pointer, dx.pointer, range.lowerBound, range.upperBound)
            }
        }
    }
}
