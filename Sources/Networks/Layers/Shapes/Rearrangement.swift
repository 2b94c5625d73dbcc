import LaneKernels
import Numerics

/// A layer whose output is made of its inputs' numbers, each copied to where it belongs.
package final class Rearrangement: Layer {
    /// Numbers of one input that come to the output along strides.
    struct Piece {
        var input = 0
        let sizes: [Int]
        let from, to: [Int]
        var fromStart = 0, toStart = 0
    }

    let output: Shape
    let pieces: [Piece]
    /// What the output holds where no piece comes to.
    let padding: Float
    /// Whether each number of the inputs comes to exactly one place.
    let usesEachOnce: Bool

    private init(_ output: Shape, _ pieces: [Piece], padding: Float = 0, usesEachOnce: Bool) {
        (self.output, self.pieces, self.padding, self.usesEachOnce) = (output, pieces, padding, usesEachOnce)
    }

    /// Whether there are such places.
    var leavesGaps: Bool { pieces.reduce(0) { $0 + $1.sizes.reduce(1, *) } < output.count }

    package func outputShape(_ inputs: [Shape]) throws -> Shape { output }

    package func backwardReads(trains: Bool) -> BackwardReads { [] }

    package func plan(_ site: Site) throws -> any Operation { RearrangementOperation(site, self) }

    /// One input after the other along `axis`, 0; all else has the same size in all of them.
    static func concatenation(_ blueprint: Blueprint) throws -> Rearrangement {
        guard let first = blueprint.inputs.first else { throw blueprint.invalid("the number of inputs", 0, "at least 1") }
        let axis = try blueprint.axis("axis", of: first)
        let outer = first.dimensions[..<axis].reduce(1, *)
        var size = 0
        for input in blueprint.inputs {
            guard input.rank == first.rank, first.dimensions.indices.allSatisfy({ $0 == axis || input[$0] == first[$0] })
            else { throw blueprint.invalid("an input's shape", input, "like \(first) except along axis \(axis)") }
            size += try blueprint.walkable(input)[axis]
        }
        var dimensions = first.dimensions
        dimensions[axis] = size
        let output = try Shape(dimensions)
        var start = 0
        let pieces = blueprint.inputs.enumerated().map { index, input in
            let row = input.count / outer
            defer { start += row }
            return Piece(
                input: index, sizes: [outer, row], from: [row, 1], to: [output.count / outer, 1], toStart: start)
        }
        return Rearrangement(output, pieces, usesEachOnce: true)
    }

    /// `size` places of `axis`, from `start`, `step` apart, 1.
    static func slice(_ blueprint: Blueprint) throws -> Rearrangement {
        let input = try blueprint.walkable(blueprint.soleInput())
        let axis = try blueprint.axis("axis", of: input, or: nil)
        let start = try blueprint.whole("start", 0...input[axis] - 1)
        let size = try blueprint.whole("size", 1...input[axis])
        let step = try blueprint.whole("step", -input[axis]...input[axis], or: 1)
        let room = step > 0 ? input[axis] - 1 - start : start
        guard step != 0, (size - 1) <= room / abs(step) else {
            throw blueprint.invalid(
                "start, size and step", "\([start, size, step])", "within the \(input[axis]) places of axis \(axis)")
        }
        var dimensions = input.dimensions
        dimensions[axis] = size
        let inner = input.dimensions[(axis + 1)...].reduce(1, *)
        let outer = input.count / inner / input[axis]
        let piece = Piece(
            sizes: [outer, size, inner], from: [input[axis] * inner, step * inner, 1], to: [size * inner, inner, 1],
            fromStart: start * inner)
        return Rearrangement(try Shape(dimensions), [piece], usesEachOnce: size == input[axis])
    }

    /// The dimensions in another `order`: output dimension d is the input's dimension order[d].
    static func transposition(_ blueprint: Blueprint) throws -> Rearrangement {
        let input = try blueprint.walkable(blueprint.soleInput())
        let order = try blueprint.list("order", 0...lane_walk.dimensions, or: Array(input.dimensions.indices.reversed()))
        guard order.sorted() == Array(input.dimensions.indices) else {
            throw blueprint.invalid("order", "\(order)", "each dimension of \(input) once")
        }
        let dimensions = order.map { input[$0] }
        let from = strides(of: input.dimensions)
        let piece = Piece(sizes: dimensions, from: order.map { from[$0] }, to: strides(of: dimensions))
        return Rearrangement(try Shape(dimensions), [piece], usesEachOnce: true)
    }

    enum Padding: String, CaseIterable { case constant, edge, reflect }

    /// `before` and `after`, how many places more each dimension has; `mode`, "constant", of `value`, 0; "edge", the
    /// nearest number; or "reflect", mirrored at the outermost number.
    static func padding(_ blueprint: Blueprint) throws -> Rearrangement {
        let input = try blueprint.walkable(blueprint.soleInput())
        let none = [Int](repeating: 0, count: input.rank)
        let before = try blueprint.list("before", 0...Blueprint.limit, or: none)
        let after = try blueprint.list("after", 0...Blueprint.limit, or: none)
        guard before.count == input.rank, after.count == input.rank else {
            throw blueprint.invalid("before and after", "\([before, after])", "of \(input.rank) numbers each")
        }
        let mode = try blueprint.choice("mode", or: Padding.constant)
        let value = try blueprint.number("value", -1e30...1e30, or: 0)
        let sizes = input.dimensions
        if mode == .reflect, let d = sizes.indices.first(where: { max(before[$0], after[$0]) >= sizes[$0] }) {
            throw blueprint.invalid(
                "the padding of dimension \(d)", max(before[d], after[d]), "below its size, \(sizes[d])")
        }
        let output = try Shape(sizes.indices.map { sizes[$0] + before[$0] + after[$0] })
        let (from, to) = (strides(of: sizes), strides(of: output.dimensions))
        var pieces = [Piece(sizes: [], from: [], to: [])]
        for d in sizes.indices {
            let parts = Part.all(of: sizes[d], before: before[d], after: after[d], mode)
            pieces = pieces.flatMap { piece in
                parts.map { part in
                    Piece(
                        sizes: piece.sizes + [part.size], from: piece.from + [part.step * from[d]],
                        to: piece.to + [to[d]], fromStart: piece.fromStart + part.from * from[d],
                        toStart: piece.toStart + part.to * to[d])
                }
            }
        }
        return Rearrangement(output, pieces, padding: value, usesEachOnce: mode == .constant)
    }
}

/// Places of a padded dimension that come from the input's: its middle, and what the mode takes from there for each side.
private struct Part {
    let size: Int
    /// From one place to the next, in the input.
    let step: Int
    /// The first place in the input and in the output.
    let from, to: Int

    static func all(of size: Int, before: Int, after: Int, _ mode: Rearrangement.Padding) -> [Part] {
        let middle = Part(size: size, step: 1, from: 0, to: before)
        let sides =
            switch mode {
            case .constant: [Part]()
            case .edge:
                [
                    Part(size: before, step: 0, from: 0, to: 0),
                    Part(size: after, step: 0, from: size - 1, to: before + size),
                ]
            case .reflect:
                [
                    Part(size: before, step: -1, from: before, to: 0),
                    Part(size: after, step: -1, from: size - 2, to: before + size),
                ]
            }
        return [middle] + sides.filter { $0.size > 0 }
    }
}

final class RearrangementOperation: Operation {
    private let site: Site
    private let pieces: [(piece: Rearrangement.Piece, forward: lane_walk, backward: lane_walk)]
    private let layer: Rearrangement

    init(_ site: Site, _ layer: Rearrangement) {
        self.site = site
        self.layer = layer
        let output = site.output.value
        pieces = layer.pieces.map { piece in
            let elements = site.inputs[piece.input].value.elements
            return (
                piece,
                lane_walk(
                    blocks: output.blocks, sizes: piece.sizes, a: piece.from, aElements: elements, b: piece.to,
                    bElements: output.elements),
                lane_walk(
                    blocks: output.blocks, sizes: piece.sizes, a: piece.to, aElements: output.elements, b: piece.from,
                    bElements: elements)
            )
        }
    }

    func forward(training: Bool) {
        let (y, kernels) = (site.output.value, site.compute.kernels)
        if layer.leavesGaps {
            site.compute.parallelFloats(y.count) { start, count in
                (y.pointer + start).update(repeating: layer.padding, count: count)
            }
        }
        for (piece, walk, _) in pieces {
            let from = site.inputs[piece.input].value.pointer + Batch.lanes * piece.fromStart
            let to = y.pointer + Batch.lanes * piece.toStart
            withUnsafePointer(to: walk) { walk in
                site.compute.parallel(y.blocks) { blocks in
                    kernels.copy(walk, from, to, blocks.lowerBound, blocks.upperBound)
                }
            }
        }
    }

    func backward() {
        guard let dy = site.output.gradient else { return }
        let kernels = site.compute.kernels
        if !layer.usesEachOnce { site.inputs.forEach { $0.gradient?.fill(0) } }
        let back = layer.usesEachOnce ? kernels.copy : kernels.accumulate
        for (piece, _, walk) in pieces {
            guard let dx = site.inputs[piece.input].gradient else { continue }
            let (from, to) = (
                dy.pointer + Batch.lanes * piece.toStart, dx.pointer + Batch.lanes * piece.fromStart
            )
            withUnsafePointer(to: walk) { walk in
                site.compute.parallel(dy.blocks) { blocks in
                    back(walk, from, to, blocks.lowerBound, blocks.upperBound)
                }
            }
        }
    }
}

extension Blueprint {
    /// A dimension of a shape.
    func axis(_ key: String, of shape: Shape, or initial: Int? = 0) throws -> Int {
        guard shape.rank > 0 else { throw invalid("an input's shape", shape, "of at least 1 dimension") }
        return try whole(key, 0...shape.rank - 1, or: initial)
    }

    /// The shape, which has no more dimensions than a walk goes through.
    @discardableResult
    func walkable(_ shape: Shape) throws -> Shape {
        guard shape.rank <= lane_walk.dimensions else {
            throw invalid("an input's shape", shape, "of at most \(lane_walk.dimensions) dimensions")
        }
        return shape
    }
}
