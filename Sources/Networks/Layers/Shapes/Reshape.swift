import Numerics

/// The same numbers in another shape: flattening before a linear layer, or a linear layer's output seen as an image.
package final class Reshape: Layer {
    private let shape: Shape?

    /// Flattens to one dimension.
    init() { shape = nil }

    /// `shape`, of as many numbers; one dimension may be -1, which is what the others leave.
    init(_ blueprint: Blueprint) throws {
        let input = try blueprint.soleInput()
        var dimensions = try blueprint.list("shape", -1...Int.max, or: [input.count])
        if let open = dimensions.firstIndex(of: -1) {
            dimensions[open] = 1
            dimensions[open] = input.count / (try Shape(dimensions).count)
        }
        let shape = try Shape(dimensions)
        guard shape.count == input.count else {
            throw blueprint.invalid("shape", "\(shape)", "of as many numbers as the input, \(input)")
        }
        self.shape = shape
    }

    package func outputShape(_ inputs: [Shape]) throws -> Shape {
        let input = try soleInput(inputs, of: "reshape")
        guard let shape else { return try Shape([input.count]) }
        guard shape.count == input.count else {
            throw DaflError.invalid("the input of a reshape to \(shape)", input, "\(shape.count) numbers")
        }
        return shape
    }

    package func backwardReads(trains: Bool) -> BackwardReads { [] }

    package func plan(_ site: Site) throws -> any Operation { ReshapeOperation(site) }
}

final class ReshapeOperation: Operation {
    private let site: Site

    init(_ site: Site) {
        self.site = site
    }

    func forward(training: Bool) { site.output.value.load(site.inputs[0].value) }

    func backward() {
        guard let dy = site.output.gradient else { return }
        site.inputs[0].gradient?.load(dy)
    }
}
