import LaneKernels
import Numerics

/// Where a convolution finds its input.
enum SingleSource {
    case lanes(SingleLanes)
    /// Of few channels, for which lanes would be mostly empty.
    case planes(SinglePlanes)
}

/// A group's work: outputs in lanes, with the normalisation in the weights and what follows in the store.
final class SingleConvolution: SingleStep {
    /// Multiplications below which a layer is done by the calling thread: waking another takes longer.
    static let leastShared = 1 << 17

    private let group: SingleGroup
    private let source: SingleSource
    private let residual: SingleLanes?
    private let to: SingleLanes
    private let compute: Compute
    private let isShared: Bool
    private let pixels: Int
    private let inputs: SingleInputs
    private let inputPlaces: Table<Int32>
    private let outputPlaces: Table<Int32>
    private let residualPlaces: Table<Int32>?
    private let weights: Tensor
    private let bias: Tensor
    private let slopes: Tensor?
    private let shape: lane_single_convolution
    private let winograd: lane_single_winograd?

    init(
        _ group: SingleGroup, from source: SingleSource, residual: SingleLanes?, to: SingleLanes, _ compute: Compute
    ) throws {
        (self.group, self.source, self.residual, self.to, self.compute) = (group, source, residual, to, compute)
        let width = to.width
        let pixels = to.height * width
        self.pixels = pixels
        inputs = try SingleInputs(group, source, outputs: to.channels)
        let geometry = group.convolution?.geometry
        let (stride, padding) = (geometry?.stride ?? .one, geometry?.padding ?? Border.none)
        inputPlaces = try Table(count: pixels) { pixel in
            source.place(pixel / width * stride.y - padding.top, pixel % width * stride.x - padding.left)
        }
        outputPlaces = try Table(count: pixels) { Int32(to.place($0 / width, $0 % width)) }
        residualPlaces = try residual.map { residual in
            try Table(count: pixels) { Int32(residual.place($0 / width, $0 % width)) }
        }
        weights = try Tensor([group.usesWinograd ? inputs.weights * 36 / 9 : inputs.weights])
        bias = try Tensor([to.blocks * Batch.lanes])
        let range = group.activation?.clippedRange
        slopes = group.activation == nil || range != nil ? nil : try Tensor(bias.shape)
        isShared = inputs.weights * pixels >= Self.leastShared && compute.threads > 1
        shape = lane_single_convolution(
            pixels: pixels, output_block: to.block, residual_block: residual?.block ?? 0, blocks: inputs.blocks.pointer,
            runs: inputs.runs.pointer, input_places: inputPlaces.pointer, output_places: outputPlaces.pointer,
            residual_places: residualPlaces.map { UnsafePointer($0.pointer) }, bias: bias.pointer,
            slopes: slopes.map { UnsafePointer($0.pointer) }, residual: residual.map { UnsafePointer($0.memory.start) },
            low: range?.low ?? 0, high: range?.high ?? 0, clips: range == nil ? 0 : 1, is_depthwise: group.isDepthwise ? 1 : 0)
        guard group.usesWinograd, case .lanes(let image) = source else {
            winograd = nil
            return
        }
        let winograd = lane_single_winograd(
            inputs: image.channels, height: to.height, width: width, input_block: image.block, input_row: image.row,
            convolution: nil)
        self.winograd = winograd
        try compute.reserveScratch(withUnsafePointer(to: winograd) { compute.kernels.single_winograd_scratch($0) })
    }

    func run() {
        if var winograd {
            withUnsafePointer(to: shape) { shape in
                winograd.convolution = shape
                withUnsafePointer(to: winograd) { runWinograd($0) }
            }
            return
        }
        let all = to.blocks * pixels
        withUnsafePointer(to: shape) { shape in
            let (kernels, x, y) = (compute.kernels, source.start, to.memory.start)
            guard isShared else { return kernels.single_convolve(shape, x, weights.pointer, y, 0, all) }
            compute.parallel(all) { range in
                kernels.single_convolve(shape, x, weights.pointer, y, range.lowerBound, range.upperBound)
            }
        }
    }

    private func runWinograd(_ shape: UnsafePointer<lane_single_winograd>) {
        let (x, y, blocks) = (source.start, to.memory.start, to.blocks)
        let tiles = (to.height + 3) / 4 * ((to.width + 3) / 4)
        func work(_ thread: Int, _ tiles: Range<Int>, _ blocks: Range<Int>) {
            compute.kernels.single_winograd(
                shape, x, weights.pointer, y, compute.scratch(of: thread), tiles.lowerBound, tiles.upperBound,
                blocks.lowerBound, blocks.upperBound)
        }
        if !isShared {
            work(0, 0..<tiles, 0..<blocks)
        } else if tiles >= 6 * compute.threads || blocks < compute.threads {
            compute.parallelWithIndex(tiles) { work($0, $1, 0..<blocks) }
        } else {
            // Each thread transforms all tiles, but reads weights of its own.
            compute.parallelWithIndex(blocks) { work($0, 0..<tiles, $1) }
        }
    }

    func prepare() { pack(into: weights, bias, slopes) }

    var isPrepared: Bool {
        // Of large weights the check would take minutes.
        guard weights.count < 1 << 16, let fresh = try? (Tensor(weights.shape), Tensor(bias.shape), Tensor(bias.shape)) else { return true }
        pack(into: fresh.0, fresh.1, slopes.map { _ in fresh.2 })
        func equal(_ a: Tensor, _ b: Tensor) -> Bool {
            (0..<a.count).allSatisfy { a[$0].bitPattern == b[$0].bitPattern }
        }
        return equal(fresh.0, weights) && equal(fresh.1, bias) && slopes.map { equal(fresh.2, $0) } != false
    }

    private func pack(into weights: Tensor, _ bias: Tensor, _ slopes: Tensor?) {
        let (convolution, norm) = (group.convolution, group.norm)
        let scale = (0..<to.channels).map { norm?.scale(of: $0) ?? 1 }
        for channel in 0..<to.channels {
            bias[channel] = convolution?.bias?.value[channel] ?? 0
            if let norm {
                bias[channel] = (bias[channel] - norm.runningMean.value[channel]) * scale[channel]
                    + (norm.bias?.value[channel] ?? 0)
            }
            switch group.activation {
            case let layer as LeakyReLU: slopes?[channel] = layer.slope
            case let layer as PReLU: slopes?[channel] = layer.weight.value[layer.weight.value.count == 1 ? 0 : channel]
            default: break
            }
        }
        let (from, packed, lanes) = (convolution?.weight.value.pointer, weights.pointer, Batch.lanes)
        if let winograd, let from {
            compute.parallel(to.blocks) { blocks in
                compute.kernels.single_winograd_weights(
                    from, scale, packed, winograd.inputs, to.channels, blocks.lowerBound, blocks.upperBound)
            }
            return
        }
        compute.parallel(to.blocks) { blocks in
            for block in blocks {
                let channels = block * lanes..<min((block + 1) * lanes, to.channels)
                var at = packed + inputs.blocks.pointer[block].weights
                inputs.forEachVector(of: block) { place in
                    for channel in channels {
                        let weight = from.map { from in place(channel).map { from[$0] } ?? 0 } ?? 1
                        at[channel % lanes] = weight * scale[channel]
                    }
                    at += lanes
                }
            }
        }
    }
}

extension Layer {
    /// The numbers from which it takes the nearest; nil when it is no such activation.
    fileprivate var clippedRange: (low: Float, high: Float)? {
        switch self {
        case let layer as LeakyReLU where layer.slope == 0: (0, .infinity)
        case let layer as Activation where layer.function == LANE_CLIP: (layer.a, layer.b)
        default: nil
        }
    }
}

extension BatchNorm {
    /// What it multiplies a channel by, with running statistics.
    fileprivate func scale(of channel: Int) -> Float {
        (weight?.value[channel] ?? 1) / (runningVariance.value[channel] + epsilon).squareRoot()
    }
}

extension SingleSource {
    var start: UnsafePointer<Float> {
        switch self {
        case .lanes(let image): UnsafePointer(image.memory.start)
        case .planes(let image): image.start
        }
    }

    /// Where a pixel's first number is.
    fileprivate func place(_ y: Int, _ x: Int) -> Int32 {
        switch self {
        case .lanes(let image): Int32(image.place(y, x))
        case .planes(let image): Int32(image.place(y, x))
        }
    }
}
