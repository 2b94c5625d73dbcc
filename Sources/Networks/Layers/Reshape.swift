import Numerics

/// The same numbers in another shape: flattening before a linear layer, or a linear layer's output seen as an image.
package final class Reshape: Layer {
    private let shape: Shape?

    /// Flattens to one dimension.
    init() { shape = nil }

    /// `shape`, of as many numbers.
    init(_ blueprint: Blueprint) throws {
        shape = try Shape(blueprint.list("shape", 1...Int.max) ?? [blueprint.soleInput().count])
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
