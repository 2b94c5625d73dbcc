import LaneKernels
import Numerics

/// Numbers that depend on no input, the same for every sample. No training changes them.
package final class Constant: Layer {
    let value: Parameter

    /// `shape`.
    init(_ blueprint: Blueprint) throws {
        guard blueprint.inputs.isEmpty else {
            throw blueprint.invalid("the number of inputs", blueprint.inputs.count, "0")
        }
        value = try blueprint.parameter(
            "value", blueprint.list("shape", 1...Int.max, or: [1]), isTrained: false, initial: .kept)
    }

    package var parameters: [Parameter] { [value] }

    package func outputShape(_ inputs: [Shape]) throws -> Shape { value.value.shape }

    package func backwardReads(trains: Bool) -> BackwardReads { [] }

    package func plan(_ site: Site) throws -> any Operation { ConstantOperation(site, value) }
}

final class ConstantOperation: Operation {
    private let site: Site
    private let value: Parameter

    init(_ site: Site, _ value: Parameter) {
        self.site = site
        self.value = value
    }

    /// Every time, since the numbers may have been loaded from a file since the last.
    func forward(training: Bool) {
        let y = site.output.value
        site.compute.parallel(y.blocks) { blocks in
            site.compute.kernels.spread(
                value.value.pointer, y.pointer, y.elements, blocks.lowerBound, blocks.upperBound)
        }
    }

    func backward() {}
}
