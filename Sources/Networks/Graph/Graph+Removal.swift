extension Graph {
    /// Without the scaling of units, for inputs and outputs in standardised ones.
    package func withoutUnits() -> Graph { removing { $0 == .units } }

    /// Without the rounding of activations to eight bits.
    package func withoutQuantisation() -> Graph { removing { $0 == .fakeQuantize } }

    /// Without nodes of these kinds, whose readers then read what they read.
    private func removing(_ isRemoved: (LayerKind) -> Bool) -> Graph {
        var graph = self
        var passed: [String: String] = [:]
        func source(_ name: String) -> String { passed[name] ?? name }
        graph.nodes = []
        for var node in nodes {
            node.inputs = node.inputs.map(source)
            if isRemoved(node.kind), node.inputs.count == 1 {
                passed[node.name] = node.inputs[0]
            } else {
                graph.nodes.append(node)
            }
        }
        graph.output = output.map(source)
        graph.feature = feature.map(source).flatMap { $0 == Graph.input ? nil : $0 }
        return graph
    }
}
