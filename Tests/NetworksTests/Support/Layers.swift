import Numerics

@testable import Networks

/// A layer alone, as a graph makes it for inputs of these shapes.
func layer(
    _ kind: LayerKind, _ attributes: [String: Attribute] = [:], of inputs: [[Int]]
) throws -> any Layer {
    let node = Graph.Node(kind, "layer", inputs: inputs.map { _ in Graph.input }, attributes)
    let blueprint = Blueprint(node, at: 0, inputs: try inputs.map { try Shape($0) }) { _ in nil }
    let layer = try kind.layer(blueprint)
    try blueprint.finish()
    return layer
}

extension Network {
    /// Of a single chain of nodes.
    convenience init(_ input: [Int], feature: String? = nil, _ nodes: (inout Graph) -> Void) throws {
        var graph = Graph("test", input: input)
        nodes(&graph)
        if let feature { graph.feature = feature }
        try self.init(graph)
    }
}
