import Numerics

extension Graph {
    /// "mlp-784-1200-1200-10": linear layers fc1, fc2, ... of the given sizes with ReLU between them. The feature is the last
    /// hidden layer; "mlp-784-10", a linear classifier, has none.
    static func multilayerPerceptron(_ architecture: Architecture) throws -> Graph {
        _ = try architecture.values([])
        let sizes = architecture.name.dropFirst("mlp-".count).split(separator: "-", omittingEmptySubsequences: false)
            .map { Int($0) ?? 0 }
        guard sizes.count >= 2, sizes.allSatisfy({ (1...Architecture.limit).contains($0) }) else {
            throw DaflError.invalid(
                "architecture", "\"\(architecture.name)\"",
                "mlp-<inputs>-<hidden>-...-<classes> with sizes from 1 to \(Architecture.limit)")
        }
        var graph = Graph(architecture.name, input: [sizes[0]])
        for i in 1..<sizes.count {
            graph.add(.linear, "fc\(i)", ["outputs": .integer(sizes[i])])
            if i < sizes.count - 1 { graph.feature = graph.add(.relu) }
        }
        return graph
    }
}
