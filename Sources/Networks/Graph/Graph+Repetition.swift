extension Graph {
    /// Drops from the end of each run of equal blocks what is more than `depth` of them.
    /// - Parameter shapes: of what each node puts out.
    func repeating(_ depth: Double, shapes: [String: [Int]]) -> Graph {
        let segments = segments(shapes)
        /// What stands for a node that is dropped.
        var substitutes: [String: String] = [:]
        var start = 0
        while start < segments.count {
            guard let run = run(of: segments, at: start) else {
                start += 1
                continue
            }
            let kept = Swift.max(1, Int((depth * Double(run.count) - 1e-9).rounded(.up)))
            for dropped in kept..<run.count {
                for segment in 0..<run.period {
                    let from = segments[start + dropped * run.period + segment]
                    let to = segments[start + (kept - 1) * run.period + segment]
                    for (name, other) in zip(from.names, to.names) { substitutes[name] = other }
                }
            }
            start += run.count * run.period
        }

        func substitute(_ name: String) -> String { substitutes[name] ?? name }
        var graph = self
        graph.output = substitute(output ?? last)
        graph.feature = feature.map(substitute)
        graph.nodes = nodes.filter { substitutes[$0.name] == nil }.map { node in
            var node = node
            node.inputs = node.inputs.map(substitute)
            if case .text(let owner) = node.attributes["weights_of"] {
                node.attributes["weights_of"] = .text(substitute(owner))
            }
            return node
        }
        return graph
    }

    /// As many equal parts of a chain as there are from a segment on: `count` times `period` segments.
    private func run(of segments: [Segment], at start: Int) -> (period: Int, count: Int)? {
        guard segments[start].hasWeights else { return nil }
        let rest = segments.count - start
        for period in 1...Swift.max(1, Swift.min(rest / 2, 64)) {
            let block = segments[start..<start + Swift.min(period, rest)]
            guard block.last?.output == segments[start].input else { continue }
            var count = 1
            while (count + 1) * period <= rest,
                zip(block, segments[(start + count * period)...]).allSatisfy({ $0.0 == $0.1 })
            {
                count += 1
            }
            if count > 1 { return (period, count) }
        }
        return nil
    }

    /// The graph as a chain: each segment reads what the one before it ends with, and constants, alone.
    private func segments(_ shapes: [String: [Int]]) -> [Segment] {
        let constants = Set(nodes.filter(\.inputs.isEmpty).map(\.name))
        var lastReader: [String: Int] = [:]
        for (place, node) in nodes.enumerated() {
            for input in node.inputs { lastReader[input] = place }
        }
        var segments: [Segment] = []
        var segment = Segment(input: inputShape)
        /// Up to which place something before the current node is read.
        var reach = lastReader[Graph.input] ?? 0
        var entry = Graph.input
        var places: [String: Int] = [:]
        for (place, node) in nodes.enumerated() where !constants.contains(node.name) {
            let sources = node.inputs.map { input -> Segment.Source in
                if input == entry { return .entry }
                if constants.contains(input) { return .constant(shapes[input] ?? []) }
                return .node(places[input] ?? -1)
            }
            places[node.name] = segment.steps.count
            segment.steps.append(
                Segment.Step(
                    kind: node.kind, attributes: node.attributes, sources: sources, output: shapes[node.name] ?? []))
            segment.names.append(node.name)
            if reach <= place {
                segments.append(segment)
                segment = Segment(input: shapes[node.name] ?? [])
                (entry, places) = (node.name, [:])
            }
            reach = Swift.max(reach, lastReader[node.name] ?? place)
        }
        return segments
    }
}

/// Nodes between two that all else goes through. Equal ones compute the same with weights of their own.
private struct Segment: Equatable {
    struct Step: Equatable {
        let kind: LayerKind
        let attributes: [String: Attribute]
        let sources: [Source]
        let output: [Int]
    }

    enum Source: Equatable {
        case entry
        case constant([Int])
        /// A place among the segment's steps.
        case node(Int)
    }

    let input: [Int]
    var steps: [Step] = []
    var names: [String] = []

    var output: [Int] { steps.last?.output ?? input }
    var hasWeights: Bool { steps.contains { $0.kind.combinesChannels } }

    static func == (a: Segment, b: Segment) -> Bool { a.input == b.input && a.steps == b.steps }
}

extension LayerKind {
    /// Whether each output depends on many inputs through weights.
    var combinesChannels: Bool { [.convolution, .transposedConvolution, .linear].contains(self) }
}
