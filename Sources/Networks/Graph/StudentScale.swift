import Numerics

/// How much of a teacher's graph its student has: "half", "width=0.5" or "width=0.25,depth=0.5".
package struct StudentScale: Equatable, Sendable {
    /// The share of its channels: see `Graph.scaled`.
    package var width = 1.0
    /// The share of its repeated blocks.
    package var depth = 1.0

    package init(width: Double = 1, depth: Double = 1) throws {
        guard width > 0, width <= Self.widest else {
            throw DaflError.invalid("width of a student", width, "above 0 and at most \(Self.widest)")
        }
        guard depth > 0, depth <= 1 else {
            throw DaflError.invalid("depth of a student", depth, "above 0 and at most 1")
        }
        (self.width, self.depth) = (width, depth)
    }

    /// nil when the text is something else, such as the name of an architecture.
    /// - Throws: `invalidArgument` when it has the form and impossible numbers.
    package init?(_ text: String) throws {
        guard text != "half" else {
            try self.init(width: 0.5)
            return
        }
        let items = text.filter { $0 != " " }.split(separator: ",", omittingEmptySubsequences: false)
            .map { $0.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init) }
        let keys = items.map { $0[0] }
        guard let first = items.first, first.count == 2, ["width", "depth"].contains(first[0]) else { return nil }
        guard keys == ["width"] || keys == ["depth"] || keys.sorted() == ["depth", "width"] else {
            throw DaflError.invalid("student", "\"\(text)\"", Self.forms)
        }
        var values = ["width": 1.0, "depth": 1.0]
        for item in items {
            guard item.count == 2, let value = Decimal.number(item[1]) else {
                throw DaflError.invalid("student", "\"\(text)\"", Self.forms)
            }
            values[item[0]] = value
        }
        try self.init(width: values["width"] ?? 1, depth: values["depth"] ?? 1)
    }

    private static let forms = "\"half\", or width=<number>, depth=<number> or both, with a comma between"
    private static let widest = 16.0
}

extension Graph {
    /// A student's graph, made of its teacher's: some of its channels, some of its repeated blocks.
    ///
    /// Every layer with weights has `width` times as many outputs, rounded and at least 1; but not those whose outputs
    /// become the network's own, through layers that keep channels. Channels that are added up, multiplied or
    /// normalised together stay as many as each other, depthwise convolutions stay depthwise, groups of channels stay
    /// groups. Where a layer does something to channels that cannot be scaled, they stay as they are: any graph has a
    /// student.
    ///
    /// Of n equal blocks in a row that keep their input's shape, the first ceil(depth n) are kept: a block is a
    /// residual one, or a layer with weights with what follows it up to the next.
    ///
    /// Names stay. A student starts from new weights; `Network.loadConstants` brings what is no weight.
    /// - Throws: `invalidArgument` when this graph is none, or for a scale out of range.
    package func scaled(width: Double, depth: Double = 1) throws -> Graph {
        let scale = try StudentScale(width: width, depth: depth)
        var graph = try needed()
        if scale.depth < 1 { graph = try graph.repeating(scale.depth, shapes: graph.shapes()).needed() }
        if scale.width != 1 { graph = WidthScaling(graph, shapes: try graph.shapes()).scaled(by: scale.width) }
        return graph
    }

    /// Without the nodes that the output does not depend on.
    package func needed() throws -> Graph {
        var graph = self
        let last = last
        graph.nodes = try GraphPlan(self).places.map { nodes[$0] }
        if output == nil, graph.last != last { graph.output = last }
        return graph
    }

    /// What each node puts out, and the input's.
    package func shapes() throws -> [String: [Int]] {
        let network = try Network(self)
        var shapes = [Graph.input: network.inputShape.dimensions]
        for node in network.nodes { shapes[node.name] = node.outputShape.dimensions }
        return shapes
    }
}

extension Network {
    /// Copies what no training makes, the constants and the units of the input, from the network whose graph this one's
    /// was made of. Where a constant has fewer numbers along a dimension, they are the first; where more, they repeat.
    package func loadConstants(from teacher: Network) {
        for parameter in parameters where parameter.initial == .kept {
            guard let other = teacher.parameter(named: parameter.name) else { continue }
            let (mine, theirs) = (parameter.value.shape.dimensions, other.value.shape.dimensions)
            guard mine.count == theirs.count else { continue }
            for i in 0..<parameter.value.count {
                var (rest, place, stride) = (i, 0, 1)
                for (size, count) in zip(mine, theirs).reversed() {
                    place += rest % size % count * stride
                    (rest, stride) = (rest / size, stride * count)
                }
                parameter.value[i] = other.value[place]
            }
        }
    }
}
