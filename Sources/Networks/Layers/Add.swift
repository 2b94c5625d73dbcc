import LaneKernels
import Numerics

/// The sum of two or more inputs: where residual connections join. Shapes are broadcast as those of a `Combination`.
package final class Add: Layer {
    private let shape: Shape

    init(_ blueprint: Blueprint) throws {
        guard blueprint.inputs.count >= 2 else {
            throw blueprint.invalid("the number of inputs", blueprint.inputs.count, "at least 2")
        }
        shape = try blueprint.broadcast()
    }

    package func backwardReads(trains: Bool) -> BackwardReads { [] }

    package func outputShape(_ inputs: [Shape]) throws -> Shape { shape }

    package func plan(_ site: Site) throws -> any Operation {
        if site.inputs.allSatisfy({ $0.value.shape == shape }) { return AddOperation(site) }
        return site.inputs.count == 2 ? CombinationOperation(site, LANE_ADD) : BroadcastAddOperation(site)
    }
}

/// Of inputs of one shape.
final class AddOperation: Operation {
    private let site: Site

    init(_ site: Site) {
        self.site = site
    }

    func forward(training: Bool) {
        let y = site.output.value
        add(site.inputs[0].value, site.inputs[1].value, into: y, site.compute)
        for input in site.inputs.dropFirst(2) { add(y, input.value, into: y, site.compute) }
    }

    func backward() {
        guard let dy = site.output.gradient else { return }
        for input in site.inputs { input.gradient?.load(dy) }
    }
}

/// Of more than two inputs of which some are broadcast.
final class BroadcastAddOperation: Operation {
    private let site: Site
    private let walks: [(toOutput: lane_walk, toInput: lane_walk)]

    init(_ site: Site) {
        self.site = site
        let y = site.output.value
        let all = strides(of: y.shape.dimensions)
        walks = site.inputs.map { input in
            let (x, own) = (input.value, input.value.shape.strides(broadcastTo: y.shape))
            return (
                lane_walk(
                    blocks: y.blocks, sizes: y.shape.dimensions, a: own, aElements: x.elements, b: all,
                    bElements: y.elements),
                lane_walk(
                    blocks: y.blocks, sizes: y.shape.dimensions, a: all, aElements: y.elements, b: own,
                    bElements: x.elements)
            )
        }
    }

    func forward(training: Bool) {
        let (y, kernels) = (site.output.value, site.compute.kernels)
        for (index, (input, walk)) in zip(site.inputs, walks).enumerated() {
            let work = index == 0 ? kernels.copy : kernels.accumulate
            withUnsafePointer(to: walk.toOutput) { walk in
                site.compute.parallel(y.blocks) { blocks in
                    work(walk, input.value.pointer, y.pointer, blocks.lowerBound, blocks.upperBound)
                }
            }
        }
    }

    func backward() {
        guard let dy = site.output.gradient else { return }
        for (input, walk) in zip(site.inputs, walks) {
            guard let dx = input.gradient else { continue }
            withUnsafePointer(to: walk.toInput) { walk in
                site.compute.parallel(dy.blocks) { blocks in
                    site.compute.kernels.reduce_sum(
                        walk, 1, dy.pointer, dx.pointer, blocks.lowerBound, blocks.upperBound)
                }
            }
        }
    }
}

/// sum = a + b.
func add(_ a: Batch, _ b: Batch, into sum: Batch, _ compute: Compute) {
    compute.parallelFloats(sum.count) { start, count in
        compute.kernels.add(a.pointer + start, b.pointer + start, sum.pointer + start, count)
    }
}
