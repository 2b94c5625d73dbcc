import LaneKernels
import Numerics

/// Max or average over windows of an image's pixels.
package final class Pooling: Layer {
    package enum Kind: String { case max, average }

    /// Where the windows lie.
    private struct Windows {
        let size: Extent
        let stride: Extent
        let padding: Border
        /// Whether a last window that the padded image does not fill counts too.
        let roundsUp: Bool
    }

    let kind: Kind
    private let windows: Windows
    /// Whether averages divide by the padding's pixels too.
    private let countsPadding: Bool
    /// Whether it pools ReLU of its input.
    private let rectifies: Bool

    /// `window`; `stride`, the window's own for windows side by side; `padding`, 0; `ceil`, false: round the number of windows
    /// up; `counts_padding`, true, of averages.
    convenience init(_ kind: Kind, _ blueprint: Blueprint) throws {
        let size = try blueprint.extent("window", 1...Blueprint.limit)
        let padding = try blueprint.border("padding")
        guard max(padding.top, padding.bottom) < size.y, max(padding.left, padding.right) < size.x else {
            throw blueprint.invalid("padding", "\(padding)", "less than the window")
        }
        let windows = Windows(
            size: size, stride: try blueprint.extent("stride", 1...Blueprint.limit, or: size), padding: padding,
            roundsUp: try blueprint.flag("ceil", or: false))
        let countsPadding = try kind == .average && blueprint.flag("counts_padding", or: true)
        self.init(kind, windows, countsPadding: countsPadding, rectifies: false)
    }

    /// One window over the whole image.
    convenience init(global kind: Kind, _ blueprint: Blueprint) throws {
        let (_, height, width) = try blueprint.soleInput().channelsHeightWidth
        let size = Extent(y: height, x: width)
        self.init(kind, Windows(size: size, stride: size, padding: .none, roundsUp: false), countsPadding: false, rectifies: false)
    }

    private init(_ kind: Kind, _ windows: Windows, countsPadding: Bool, rectifies: Bool) {
        (self.kind, self.windows, self.countsPadding, self.rectifies) = (kind, windows, countsPadding, rectifies)
    }

    /// ReLU and this pooling in one layer, if it is max pooling.
    func rectifying() -> Pooling? {
        kind == .max ? Pooling(kind, windows, countsPadding: false, rectifies: true) : nil
    }

    /// Whether every window lies in the image, whatever its size.
    var staysInside: Bool { windows.padding == .none && !windows.roundsUp }

    package func outputShape(_ inputs: [Shape]) throws -> Shape {
        let input = try soleInput(inputs, of: "\(kind) pooling")
        let (channels, height, width) = input.channelsHeightWidth
        let (size, stride, padding) = (windows.size, windows.stride, windows.padding)
        guard height + padding.vertical >= size.y, width + padding.horizontal >= size.x else {
            throw DaflError.invalid("the input of \(kind) pooling", input, "at least as large as a window of \(size.y) x \(size.x)")
        }
        return try Shape([
            channels, count(height, padding.top, padding.bottom, size.y, stride.y),
            count(width, padding.left, padding.right, size.x, stride.x),
        ])
    }

    /// Windows in one direction; one that would begin in the far padding does not count, as in PyTorch.
    private func count(_ pixels: Int, _ before: Int, _ after: Int, _ size: Int, _ stride: Int) -> Int {
        let (whole, rest) = (pixels + before + after - size).quotientAndRemainder(dividingBy: stride)
        let startsInside = (whole + 1) * stride < pixels + before
        return whole + 1 + (windows.roundsUp && rest > 0 && startsInside ? 1 : 0)
    }

    package func backwardReads(trains: Bool) -> BackwardReads { kind == .max ? [.inputs, .output] : [] }

    package func plan(_ site: Site) throws -> any Operation {
        PoolingOperation(site, kind, shape(input: site.inputs[0].value.shape, output: site.output.value.shape))
    }

    func shape(input: Shape, output: Shape) -> lane_pooling {
        let ((channels, height, width), (_, outputHeight, outputWidth)) = (input.channelsHeightWidth, output.channelsHeightWidth)
        let (size, stride, padding) = (windows.size, windows.stride, windows.padding)
        return lane_pooling(
            channels: channels, input_height: height, input_width: width, output_height: outputHeight,
            output_width: outputWidth, window_y: size.y, window_x: size.x, stride_y: stride.y, stride_x: stride.x,
            padding_top: padding.top, padding_left: padding.left, padding_bottom: padding.bottom,
            padding_right: padding.right, counts_padding: countsPadding ? 1 : 0, rectifies: rectifies ? 1 : 0)
    }
}

final class PoolingOperation: Operation {
    private let site: Site
    private let kind: Pooling.Kind
    private let shape: lane_pooling

    init(_ site: Site, _ kind: Pooling.Kind, _ shape: lane_pooling) {
        self.site = site
        self.kind = kind
        self.shape = shape
    }

    func forward(training: Bool) {
        let (x, y) = (site.inputs[0].value, site.output.value)
        let pool = kind == .max ? site.compute.kernels.max_pool : site.compute.kernels.average_pool
        withUnsafePointer(to: shape) { shape in
            site.compute.parallel(y.blocks) { blocks in
                pool(shape, x.pointer, y.pointer, blocks.lowerBound, blocks.upperBound)
            }
        }
    }

    func backward() {
        guard let dy = site.output.gradient, let dx = site.inputs[0].gradient else { return }
        let (x, y, kernels) = (site.inputs[0].value, site.output.value, site.compute.kernels)
        withUnsafePointer(to: shape) { shape in
            site.compute.parallel(y.blocks) { blocks in
                let (first, end) = (blocks.lowerBound, blocks.upperBound)
                switch kind {
                case .max: kernels.max_pool_gradient(shape, x.pointer, y.pointer, dy.pointer, dx.pointer, first, end)
                case .average: kernels.average_pool_gradient(shape, dy.pointer, dx.pointer, first, end)
                }
            }
        }
    }
}
