import Networks

/// Functions that exporters write as several operators, as one node each: x clip(x + 3, 0, 6) / 6 is hard swish.
///
/// Old operator sets lack them, and each operator costs a pass over the images.
struct ONNXPatterns {
    private var graph: Graph
    private var places: [String: Int] = [:]
    private var readers: [String: Int] = [:]
    /// Constants of one number, by their nodes.
    private let scalars: [String: Float]

    /// The graph with them; what nobody reads any more is still there.
    /// - Parameter kept: nodes that somebody else needs.
    static func simplified(_ graph: Graph, scalars: [String: Float], kept: Set<String>) -> Graph {
        var patterns = ONNXPatterns(graph, scalars, kept)
        for place in graph.nodes.indices { patterns.simplify(place) }
        return patterns.graph
    }

    private init(_ graph: Graph, _ scalars: [String: Float], _ kept: Set<String>) {
        (self.graph, self.scalars) = (graph, scalars)
        for (place, node) in graph.nodes.enumerated() {
            places[node.name] = place
            for input in node.inputs { readers[input, default: 0] += 1 }
        }
        for name in kept { readers[name, default: 0] += 2 }
    }

    private mutating func simplify(_ place: Int) {
        let node = graph.nodes[place]
        guard let (kind, input, attributes) = hardSigmoid(node) ?? product(node) ?? gelu(node) ?? quantization(node),
            let kind = LayerKind(rawValue: kind)
        else { return }
        for name in node.inputs { readers[name, default: 1] -= 1 }
        readers[input, default: 0] += 1
        graph.nodes[place] = Graph.Node(kind, node.name, inputs: [input], attributes)
    }

    private typealias Match = (kind: String, input: String, attributes: [String: Attribute])

    /// clip(x + 3, 0, 6) / 6
    private func hardSigmoid(_ node: Graph.Node) -> Match? {
        guard let clipped = scaled(node, by: 1 / 6), let input = shiftedClip(clipped) else { return nil }
        return ("hard_sigmoid", input, [:])
    }

    /// x times a function of x.
    private func product(_ node: Graph.Node) -> Match? {
        if let whole = scaled(node, by: 1 / 6), let product = sole(whole, "multiply") {
            for (x, other) in pairs(product) where shiftedClip(other) == x { return ("hard_swish", x, [:]) }
        }
        guard node.kind.rawValue == "multiply" else { return nil }
        for (x, other) in pairs(node) {
            if let gate = sole(other, "sigmoid"), gate.inputs == [x] { return ("silu", x, [:]) }
            guard let gate = sole(other, "hard_sigmoid"), gate.inputs == [x], isSixth(gate.attributes["alpha"]),
                isHalf(gate.attributes["beta"])
            else { continue }
            return ("hard_swish", x, [:])
        }
        return nil
    }

    /// x (1 + erf(x / sqrt 2)) / 2, in any order of the factors.
    private func gelu(_ node: Graph.Node) -> Match? {
        var factors: [String] = []
        var scale: Float = 1
        var open = [node]
        while let next = open.popLast() {
            for input in next.inputs {
                if let number = scalars[input] {
                    scale *= next.kind.rawValue == "divide" ? 1 / number : number
                } else if let inner = sole(input, "multiply") ?? sole(input, "divide"), factors.count + open.count < 3 {
                    open.append(inner)
                } else {
                    factors.append(input)
                }
            }
            guard ["multiply", "divide"].contains(next.kind.rawValue), factors.count <= 2 else { return nil }
        }
        guard factors.count == 2, isNear(scale, 0.5) else { return nil }
        for (x, other) in [(factors[0], factors[1]), (factors[1], factors[0])] {
            guard let sum = sole(other, "add"), let error = shifted(sum, by: 1), let function = sole(error, "erf"),
                let inner = function.inputs.first, let quotient = self.node(inner),
                scaled(quotient, by: Float(0.5).squareRoot()) == x
            else { continue }
            return ("gelu", x, [:])
        }
        return nil
    }

    /// scale clip(round(x / scale), low, high)
    private func quantization(_ node: Graph.Node) -> Match? {
        guard node.kind == .multiply else { return nil }
        for (clipped, factor) in pairs(node) {
            guard let scale = scalars[factor], scale >= 1e-30, let clip = sole(clipped, "clip"),
                let low = whole(clip.attributes["low"]), let high = whole(clip.attributes["high"]), low < high,
                let rounded = clip.inputs.first.flatMap({ sole($0, "fake_quantize") }), rounded.attributes["scale"] == 1.0,
                let inner = rounded.inputs.first, let quotient = sole(inner, "divide"), quotient.inputs.count == 2,
                scalars[quotient.inputs[1]] == scale
            else { continue }
            return (
                "fake_quantize", quotient.inputs[0],
                ["scale": .number(Double(scale)), "low": .integer(low), "high": .integer(high)]
            )
        }
        return nil
    }

    private func whole(_ attribute: Attribute?) -> Int? {
        guard case .number(let number)? = attribute, number == number.rounded(),
            abs(number) <= Double(FakeQuantization.limit)
        else { return nil }
        return Int(number)
    }

    // MARK: Parts

    private func node(_ name: String) -> Graph.Node? { places[name].map { graph.nodes[$0] } }

    /// A node of the kind that has no other readers.
    private func sole(_ name: String, _ kind: String) -> Graph.Node? {
        guard readers[name] == 1, let node = node(name), node.kind.rawValue == kind else { return nil }
        return node
    }

    private func pairs(_ node: Graph.Node) -> [(String, String)] {
        node.inputs.count == 2 ? [(node.inputs[0], node.inputs[1]), (node.inputs[1], node.inputs[0])] : []
    }

    private func isNear(_ a: Float, _ b: Float) -> Bool { abs(a - b) < 1e-4 }

    private func isSixth(_ attribute: Attribute?) -> Bool {
        guard let attribute else { return true }
        guard case .number(let number) = attribute else { return false }
        return isNear(Float(number), 1 / 6)
    }

    private func isHalf(_ attribute: Attribute?) -> Bool { attribute == nil || attribute == .number(0.5) }

    /// What the node multiplies by such a number, or divides by its reciprocal.
    private func scaled(_ node: Graph.Node, by factor: Float) -> String? {
        for (x, other) in pairs(node) {
            guard let number = scalars[other] else { continue }
            if node.kind.rawValue == "multiply", isNear(number, factor) { return x }
            if node.kind.rawValue == "divide", other == node.inputs[1], isNear(1 / number, factor) { return x }
        }
        return nil
    }

    /// What the node adds such a number to.
    private func shifted(_ node: Graph.Node, by shift: Float) -> String? {
        for (x, other) in pairs(node) where node.kind == .add && scalars[other].map({ isNear($0, shift) }) == true {
            return x
        }
        return nil
    }

    /// x of clip(x + 3, 0, 6), of which nobody else reads the parts.
    private func shiftedClip(_ name: String) -> String? {
        guard let clip = sole(name, "clip"), clip.attributes["low"] == .number(0), clip.attributes["high"] == .number(6),
            let sum = clip.inputs.first.flatMap({ sole($0, "add") })
        else { return nil }
        return shifted(sum, by: 3)
    }
}
