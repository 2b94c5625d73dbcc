import Numerics

/// What PyTorch's dropout is outside its training: nothing. Distillation trains with none.
package final class Dropout: Layer {
    /// `rate`, 0.5: kept for those who train the network elsewhere.
    init(_ blueprint: Blueprint) throws {
        _ = try blueprint.number("rate", 0...1, or: 0.5)
    }

    package func outputShape(_ inputs: [Shape]) throws -> Shape { try soleInput(inputs, of: "dropout") }

    package func backwardReads(trains: Bool) -> BackwardReads { [] }

    package func plan(_ site: Site) throws -> any Operation { ReshapeOperation(site) }
}
