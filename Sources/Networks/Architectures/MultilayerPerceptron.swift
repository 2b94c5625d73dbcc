import Numerics

extension Graph {
    /// "mlp-784-1200-1200-10": linear layers fc1, fc2, ... of the given sizes with ReLU between them. The feature is
    /// the last hidden layer; "mlp-784-10", a linear classifier, has none.
    static func multilayerPerceptron(_ architecture: Architecture) throws -> Graph {
        _ = try architecture.values([])
        let sizes = architecture.numbers(after: "mlp-")
        guard sizes.count >= 2, sizes.allSatisfy({ (1...Architecture.limit).contains($0) }) else {
            throw DaflError.invalid(
                "architecture", "\"\(architecture.name)\"",
                "mlp-<inputs>-<hidden>-...-<classes> with sizes from 1 to \(Architecture.limit)")
        }
        return multilayerPerceptron(architecture.name, input: [sizes[0]], Array(sizes.dropFirst()))
    }

    /// - Parameter sizes: of each layer's outputs.
    static func multilayerPerceptron(_ name: String, input: [Int], _ sizes: [Int]) -> Graph {
        var graph = Graph(name, input: input)
        for (i, size) in sizes.enumerated() {
            graph.add(.linear, "fc\(i + 1)", ["outputs": .integer(size)])
            if i < sizes.count - 1 { graph.feature = graph.add(.relu) }
        }
        return graph
    }
}
