import LaneKernels
import Numerics

/// Two inputs of which each pair of numbers makes one. Their shapes are broadcast as in NumPy: aligned at the last dimension;
/// along a dimension where it has size 1, or has none, an input is the same for all places of the other.
package final class Combination: Layer {
    let operation: lane_operation
    let shape: Shape

    init(_ operation: lane_operation, _ blueprint: Blueprint) throws {
        guard blueprint.inputs.count == 2 else {
            throw blueprint.invalid("the number of inputs", blueprint.inputs.count, "2")
        }
        self.operation = operation
        shape = try blueprint.broadcast()
    }

    package func outputShape(_ inputs: [Shape]) throws -> Shape { shape }

    package func backwardReads(trains: Bool) -> BackwardReads { .inputs }

    package func plan(_ site: Site) throws -> any Operation { CombinationOperation(site, operation) }
}

final class CombinationOperation: Operation {
    private let site: Site
    private let operation: lane_operation
    private let walk: lane_walk

    init(_ site: Site, _ operation: lane_operation) {
        self.site = site
        self.operation = operation
        let (a, b, y) = (site.inputs[0].value, site.inputs[1].value, site.output.value)
        walk = lane_walk(
            blocks: y.blocks, sizes: y.shape.dimensions, a: a.shape.strides(broadcastTo: y.shape),
            aElements: a.elements, b: b.shape.strides(broadcastTo: y.shape), bElements: b.elements)
    }

    func forward(training: Bool) {
        let (a, b, y) = (site.inputs[0].value, site.inputs[1].value, site.output.value)
        withUnsafePointer(to: walk) { walk in
            site.compute.parallel(y.blocks) { blocks in
                site.compute.kernels.combine(
                    operation, walk, a.pointer, b.pointer, y.pointer, blocks.lowerBound, blocks.upperBound)
            }
        }
        // 0 / 0 there.
        if operation == LANE_DIVIDE { site.clearUnusedLanes() }
    }

    func backward() {
        guard let dy = site.output.gradient else { return }
        let (a, b, kernels) = (site.inputs[0].value, site.inputs[1].value, site.compute.kernels)
        withUnsafePointer(to: walk) { walk in
            site.compute.parallel(dy.blocks) { blocks in
                let (first, end) = (blocks.lowerBound, blocks.upperBound)
                if let da = site.inputs[0].gradient {
                    kernels.combine_gradient_a(
                        operation, walk, a.pointer, b.pointer, dy.pointer, da.pointer, first, end)
                }
                if let db = site.inputs[1].gradient {
                    kernels.combine_gradient_b(
                        operation, walk, a.pointer, b.pointer, dy.pointer, db.pointer, first, end)
                }
            }
        }
    }
}

extension Blueprint {
    /// The shape that all inputs are broadcast to.
    func broadcast() throws -> Shape {
        let rank = try inputs.map { try walkable($0).rank }.max() ?? 0
        var dimensions = [Int](repeating: 1, count: rank)
        for input in inputs {
            for (d, size) in zip(rank - input.rank..<rank, input.dimensions) where size != 1 {
                guard dimensions[d] == 1 || dimensions[d] == size else {
                    throw invalid("the inputs' shapes", "\(inputs)", "such as can be broadcast to each other")
                }
                dimensions[d] = size
            }
        }
        return try Shape(dimensions)
    }
}

extension Shape {
    /// The elements that a step along each dimension of a shape passes that this one is broadcast to: none where it has
    /// only one place.
    func strides(broadcastTo other: Shape) -> [Int] {
        [Int](repeating: 0, count: other.rank - rank)
            + zip(dimensions, Networks.strides(of: dimensions)).map { $0 == 1 ? 0 : $1 }
    }
}
