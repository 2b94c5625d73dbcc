import LaneKernels
import Numerics

/// Max or average over windows of window x window pixels, every `stride` pixels, without padding.
package final class Pooling: Layer {
    package enum Kind: String { case max, average }

    let kind: Kind
    private let window: Extent
    private let stride: Extent
    /// Whether it pools ReLU of its input.
    private let rectifies: Bool

    /// `window`; `stride`, the window's own for windows side by side.
    convenience init(_ kind: Kind, _ blueprint: Blueprint) throws {
        let window = try blueprint.extent("window", 1...Blueprint.limit)
        let stride = blueprint.node.attributes["stride"] == nil ? window : try blueprint.extent("stride", 1...Blueprint.limit)
        self.init(kind, window: window, stride: stride, rectifies: false)
    }

    private init(_ kind: Kind, window: Extent, stride: Extent, rectifies: Bool) {
        self.kind = kind
        self.window = window
        self.stride = stride
        self.rectifies = rectifies
    }

    /// ReLU and this pooling in one layer, if it is max pooling.
    func rectifying() -> Pooling? {
        kind == .max ? Pooling(kind, window: window, stride: stride, rectifies: true) : nil
    }

    package func outputShape(_ inputs: [Shape]) throws -> Shape {
        let input = try soleInput(inputs, of: "\(kind) pooling")
        let (channels, height, width) = input.channelsHeightWidth
        guard height >= window.y, width >= window.x else {
            throw DaflError.invalid("the input of \(kind) pooling", input, "at least \(window.y) pixels high and \(window.x) wide")
        }
        return try Shape([channels, (height - window.y) / stride.y + 1, (width - window.x) / stride.x + 1])
    }

    package func plan(_ site: Site) throws -> any Operation {
        PoolingOperation(site, kind, shape(input: site.inputs[0].value.shape, output: site.output.value.shape))
    }

    func shape(input: Shape, output: Shape) -> lane_pooling {
        let ((channels, height, width), (_, outputHeight, outputWidth)) = (input.channelsHeightWidth, output.channelsHeightWidth)
        return lane_pooling(
            channels: channels, input_height: height, input_width: width, output_height: outputHeight,
            output_width: outputWidth, window: window.y, stride: stride.y, rectifies: rectifies ? 1 : 0)
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
