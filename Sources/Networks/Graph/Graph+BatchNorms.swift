extension Graph {
    /// The graph with a batch normalisation behind each convolution, as networks have it that are trained; the graph
    /// itself when it has a normalisation already. Files often have theirs folded into the convolutions:
    /// `Network.foldingBatchNorms` does so.
    ///
    /// None comes behind a convolution of a single pixel, as in squeeze-excite, or whose output becomes the network's
    /// without another layer with weights in between. The others lose their bias, which the normalisation's replaces.
    /// - Throws: `invalidArgument` when the graph is none.
    package func restoringBatchNorms() throws -> Graph {
        guard !nodes.contains(where: { $0.kind.normalises }) else { return self }
        let shapes = try shapes()
        let excepted = lastWeightLayers
        let sharing = sharingNodes
        var names = Set(nodes.map(\.name))
        /// The normalisation behind each convolution that has one.
        var norms: [String: String] = [:]
        var graph = self
        graph.nodes = []
        for var node in nodes {
            let pixels = shapes[node.inputs.first ?? ""]?.dropFirst().reduce(1, *) ?? 1
            node.inputs = node.inputs.map { norms[$0] ?? $0 }
            let isNormalised = node.kind.isConvolution && pixels > 1 && !excepted.contains(node.name)
            if isNormalised, !sharing.contains(node.name) { node.attributes["bias"] = false }
            graph.nodes.append(node)
            guard isNormalised else { continue }
            var name = "\(node.name).norm"
            while !names.insert(name).inserted { name += "_" }
            norms[node.name] = graph.add(.batchNorm, name, inputs: [node.name])
        }
        graph.output = output.map { norms[$0] ?? $0 }
        graph.feature = feature.map { norms[$0] ?? $0 }
        return graph
    }

    /// Those from whose output the network's is made without another one in between.
    private var lastWeightLayers: Set<String> {
        var (found, reached): (Set<String>, Set<String>) = ([], [output ?? last])
        for node in nodes.reversed() where reached.contains(node.name) {
            if node.kind.combinesChannels { found.insert(node.name) } else { reached.formUnion(node.inputs) }
        }
        return found
    }

    /// Those whose weights another node has too.
    package var sharingNodes: Set<String> {
        var names: Set<String> = []
        for node in nodes {
            guard case .text(let owner) = node.attributes["weights_of"] else { continue }
            names.formUnion([node.name, owner])
        }
        return names
    }
}

extension LayerKind {
    var isConvolution: Bool { [.convolution, .transposedConvolution].contains(self) }
    var normalises: Bool { [.batchNorm, .layerNorm, .groupNorm, .instanceNorm].contains(self) }
}
