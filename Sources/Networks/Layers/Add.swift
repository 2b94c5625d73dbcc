import Numerics

/// The sum of two inputs of one shape: where a residual connection joins.
package final class Add: Layer {
    package func outputShape(_ inputs: [Shape]) throws -> Shape {
        guard inputs.count == 2, inputs[0] == inputs[1] else {
            throw DaflError.invalid("the inputs of an addition", "\(inputs)", "two of the same shape")
        }
        return inputs[0]
    }

    package func backwardReads(trains: Bool) -> BackwardReads { [] }

    package func plan(_ site: Site) throws -> any Operation { AddOperation(site) }
}

final class AddOperation: Operation {
    private let site: Site

    init(_ site: Site) {
        self.site = site
    }

    func forward(training: Bool) {
        add(site.inputs[0].value, site.inputs[1].value, into: site.output.value, site.compute)
    }

    func backward() {
        guard let dy = site.output.gradient else { return }
        for input in site.inputs { input.gradient?.load(dy) }
    }
}

/// sum = a + b.
func add(_ a: Batch, _ b: Batch, into sum: Batch, _ compute: Compute) {
    compute.parallelFloats(sum.count) { start, count in
        compute.kernels.add(a.pointer + start, b.pointer + start, sum.pointer + start, count)
    }
}
