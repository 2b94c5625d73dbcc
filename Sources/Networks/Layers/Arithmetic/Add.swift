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
        return site.inputs.count == 2 ? CombinationOperation(site, LANE_ADD) : try BroadcastAddOperation(site)
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

/// Of more than two inputs of which some are broadcast: one after the other is added to the sum so far.
final class BroadcastAddOperation: Operation {
    private let steps: [CombinationOperation]

    init(_ site: Site) throws {
        var steps: [CombinationOperation] = []
        var sum = site.inputs[0]
        for (place, input) in site.inputs.enumerated().dropFirst() {
            let (samples, shape) = (site.samples, site.output.value.shape)
            let isLast = place == site.inputs.count - 1
            let next =
                try isLast
                ? site.output
                : Slot(
                    value: Batch(samples: samples, shape: shape),
                    gradient: site.output.gradient == nil ? nil : Batch(samples: samples, shape: shape))
            steps.append(CombinationOperation(site.reading([sum, input], writing: next), LANE_ADD))
            sum = next
        }
        self.steps = steps
    }

    func forward(training: Bool) {
        for step in steps { step.forward(training: training) }
    }

    func backward() {
        for step in steps.reversed() { step.backward() }
    }
}

extension Site {
    /// A place of the same kind, of a part of the work.
    fileprivate func reading(_ inputs: [Slot], writing output: Slot) -> Site {
        Site(
            inputs: inputs, output: output, samples: samples, trains: trains, statisticsWeight: statisticsWeight,
            compute: compute, masks: masks)
    }
}

/// sum = a + b.
func add(_ a: Batch, _ b: Batch, into sum: Batch, _ compute: Compute) {
    compute.parallelFloats(sum.count) { start, count in
        compute.kernels.add(a.pointer + start, b.pointer + start, sum.pointer + start, count)
    }
}
