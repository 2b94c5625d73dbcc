import LaneKernels
import Numerics

/// Work that keeps nothing of the weights.
final class SingleWork: SingleStep {
    private let work: () -> Void

    init(_ work: @escaping () -> Void) { self.work = work }

    func run() { work() }
}

/// y = W x + b, with the weights where they are: each number of them is read once in any case.
final class SingleLinear: SingleStep {
    private let weight: Tensor
    private let bias: Tensor?
    private let from: SingleRows
    private let to: SingleRows
    private let inputs: Int
    private let outputs: Int
    private let compute: Compute

    init(_ weight: Parameter, _ bias: Parameter?, from: SingleRows, to: SingleRows, _ compute: Compute) {
        (self.weight, self.bias, self.from, self.to, self.compute) = (weight.value, bias?.value, from, to, compute)
        outputs = weight.value.shape[0]
        inputs = weight.value.count / outputs
    }

    func run() {
        let (x, y) = (from.start, to.memory.start)
        guard weight.count >= SingleConvolution.leastShared else {
            return compute.kernels.single_linear(x, weight.pointer, bias?.pointer, y, inputs, 0, outputs)
        }
        compute.parallel(outputs) { range in
            compute.kernels.single_linear(
                x, weight.pointer, bias?.pointer, y, inputs, range.lowerBound, range.upperBound)
        }
    }
}

/// Numbers that depend on no input.
final class SingleConstant: SingleStep {
    private let value: Tensor
    private let to: SingleRows

    init(_ layer: Constant, to: SingleRows) {
        (value, self.to) = (layer.value.value, to)
    }

    func run() { to.memory.start.update(from: value.pointer, count: value.count) }
}

/// Between units: scale x + shift.
final class SingleScaling: SingleStep {
    private let layer: UnitScaling
    private let from: SingleRows
    private let to: SingleRows
    /// Numbers in a row that have the same scale.
    private let length: Int

    init(_ layer: UnitScaling, from: SingleRows, _ shape: Shape, to: SingleRows) {
        (self.layer, self.from, self.to) = (layer, from, to)
        length = shape.count / layer.units.count
    }

    func run() {
        let (x, y) = (from.start, to.memory.start)
        for place in 0..<layer.units.count {
            let (scale, shift) = layer.line(place)
            for i in place * length..<(place + 1) * length { y[i] = scale * x[i] + shift }
        }
    }
}

/// Numbers that each go somewhere else.
final class SingleRearrangement: SingleStep {
    private let layer: Rearrangement
    private let from: [SingleRows]
    private let to: SingleRows

    init(_ layer: Rearrangement, from: [SingleRows], to: SingleRows) {
        (self.layer, self.from, self.to) = (layer, from, to)
    }

    func run() {
        let y = to.memory.start
        if layer.leavesGaps { y.update(repeating: layer.padding, count: layer.output.count) }
        for piece in layer.pieces {
            copy(piece, 0, from[piece.input].start + piece.fromStart, y + piece.toStart)
        }
    }

    private func copy(
        _ piece: Rearrangement.Piece, _ dimension: Int, _ from: UnsafePointer<Float>, _ to: UnsafeMutablePointer<Float>
    ) {
        guard dimension < piece.sizes.count else { return to.pointee = from.pointee }
        let (size, fromStep, toStep) = (piece.sizes[dimension], piece.from[dimension], piece.to[dimension])
        if dimension == piece.sizes.count - 1 {
            if fromStep == 1, toStep == 1 { return to.update(from: from, count: size) }
            for i in 0..<size { to[i * toStep] = from[i * fromStep] }
        } else {
            for i in 0..<size { copy(piece, dimension + 1, from + i * fromStep, to + i * toStep) }
        }
    }
}

/// An image of rows with zeros around it: planes of its channels.
final class SinglePlanes: SingleStep {
    let channels: Int
    let height: Int
    let width: Int
    let border: Border
    private let from: SingleRows
    private let bordered: UnsafeFloatMemory?

    init(_ from: SingleRows, _ shape: Shape, border: Border) throws {
        (channels, height, width) = shape.channelsHeightWidth
        (self.from, self.border) = (from, border)
        let plane = try Shape([channels, height + border.vertical, width + border.horizontal])
        guard plane.count <= SingleImageTooLarge.limit else { throw SingleImageTooLarge() }
        bordered = border == Border.none ? nil : try UnsafeFloatMemory(count: plane.count)
    }

    var start: UnsafePointer<Float> { bordered.map { UnsafePointer($0.start) } ?? from.start }
    var row: Int { width + border.horizontal }
    var plane: Int { (height + border.vertical) * row }
    func place(_ y: Int, _ x: Int) -> Int { (y + border.top) * row + x + border.left }

    func run() {
        guard let to = bordered?.start else { return }
        for c in 0..<channels {
            for y in 0..<height {
                (to + c * plane + place(y, 0)).update(from: from.start + (c * height + y) * width, count: width)
            }
        }
    }
}

/// The same of an image in lanes.
final class SingleBordering: SingleStep {
    private let from: SingleLanes
    private let to: SingleLanes

    init(_ from: SingleLanes, to: SingleLanes) {
        (self.from, self.to) = (from, to)
    }

    func run() {
        for block in 0..<from.blocks {
            let (x, y) = (from.memory.start + block * from.block, to.memory.start + block * to.block)
            for row in 0..<from.height {
                (y + to.place(row, 0)).update(from: x + from.place(row, 0), count: from.width * Batch.lanes)
            }
        }
    }
}
