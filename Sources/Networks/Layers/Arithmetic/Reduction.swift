import LaneKernels
import Numerics

/// The mean, sum or maximum over some dimensions.
package final class Reduction: Layer {
    enum Kind { case mean, sum, max }

    let kind: Kind
    /// The input's, with 1 where it is reduced.
    let kept: Shape
    private let output: Shape

    /// `axes`, all; `keep`, true: whether they are still there, of size 1.
    init(_ kind: Kind, _ blueprint: Blueprint) throws {
        let input = try blueprint.walkable(blueprint.soleInput())
        let axes = try blueprint.list("axes", 0...Swift.max(input.rank - 1, 0), or: Array(input.dimensions.indices))
        let keeps = try blueprint.flag("keep", or: true)
        self.kind = kind
        kept = try Shape(input.dimensions.enumerated().map { axes.contains($0) ? 1 : $1 })
        let others = input.dimensions.indices.filter { !axes.contains($0) }
        output = keeps ? kept : try Shape(others.map { input[$0] })
    }

    package func outputShape(_ inputs: [Shape]) throws -> Shape { output }

    package func plan(_ site: Site) throws -> any Operation { try ReductionOperation(site, self) }
}

final class ReductionOperation: Operation {
    private let site: Site
    private let kind: Reduction.Kind
    private let walk: lane_walk
    /// From the gradient by the output, standing still along what is reduced, and what it is multiplied by.
    private let back: lane_walk
    private let factor: Float
    private let factors: Tensor

    init(_ site: Site, _ layer: Reduction) throws {
        self.site = site
        kind = layer.kind
        let (x, y) = (site.inputs[0].value, site.output.value)
        let (all, kept) = (strides(of: x.shape.dimensions), layer.kept.strides(broadcastTo: x.shape))
        walk = lane_walk(
            blocks: x.blocks, sizes: x.shape.dimensions, a: all, aElements: x.elements, b: kept, bElements: y.elements)
        back = lane_walk(
            blocks: x.blocks, sizes: x.shape.dimensions, a: kept, aElements: y.elements, b: all.map { _ in 0 },
            bElements: 0)
        factor = kind == .mean ? Float(y.elements) / Float(x.elements) : 1
        factors = try Tensor([Batch.lanes])
        factors.fill(factor)
    }

    func forward(training: Bool) {
        let (x, y, kernels) = (site.inputs[0].value, site.output.value, site.compute.kernels)
        withUnsafePointer(to: walk) { walk in
            site.compute.parallel(y.blocks) { blocks in
                let (first, end) = (blocks.lowerBound, blocks.upperBound)
                switch kind {
                case .mean, .sum: kernels.reduce_sum(walk, factor, x.pointer, y.pointer, first, end)
                case .max: kernels.reduce_max(walk, x.pointer, y.pointer, first, end)
                }
            }
        }
    }

    func backward() {
        guard let dy = site.output.gradient, let dx = site.inputs[0].gradient else { return }
        let (x, y, kernels) = (site.inputs[0].value, site.output.value, site.compute.kernels)
        withUnsafePointer(to: walk) { walk in
            withUnsafePointer(to: back) { back in
                site.compute.parallel(y.blocks) { blocks in
                    let (first, end) = (blocks.lowerBound, blocks.upperBound)
                    switch kind {
                    case .mean, .sum:
                        kernels.combine(LANE_MULTIPLY, back, dy.pointer, factors.pointer, dx.pointer, first, end)
                    case .max:
                        kernels.reduce_max_gradient(walk, x.pointer, y.pointer, dy.pointer, dx.pointer, first, end)
                    }
                }
            }
        }
    }
}
