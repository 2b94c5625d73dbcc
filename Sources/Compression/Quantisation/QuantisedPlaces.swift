import Networks

extension Network {
    /// The nodes, and perhaps `Network.input`, whose outputs are rounded to eight bits, so that all linear layers and
    /// convolutions read such numbers, and runtimes find whole numbers before and behind each of them.
    ///
    /// A ReLU or clip is rounded in the place of the sole layer before it, with which runtimes compute it; what hands numbers on
    /// gives rounded ones already. What comes behind the last layer with weights stays as it is: the logits are floats.
    var quantisedPlaces: [Int] {
        let readers = readers
        var isNeeded = [Bool](repeating: false, count: nodes.count)
        func leadsToWeights(_ place: Int) -> Bool {
            (readers[place] ?? []).contains { nodes[$0].weightAndBias != nil || isNeeded[$0] }
        }
        for index in nodes.indices.reversed() { isNeeded[index] = leadsToWeights(index) }

        var places: Set<Int> = []
        /// These, and what hands their numbers on.
        var rounded: Set<Int> = []
        for place in [Network.input] + nodes.indices where leadsToWeights(place) {
            let own = readers[place] ?? []
            let isCutOff = own.count == 1 && [.relu, .clip].contains(nodes[own[0]].kind)
            if place == Network.input {
                if own.allSatisfy({ nodes[$0].kind == .units }) { continue }
                places.insert(place)
                rounded.insert(place)
                continue
            }
            let node = nodes[place]
            if !(node.handsNumbersOn && rounded.contains(node.inputs[0])) {
                if node.kind == .constant || isCutOff { continue }
                places.insert(place)
            }
            rounded.insert(place)
        }
        return places.sorted()
    }

    /// The graph with a rounding behind each of these places, and a bias for each layer with weights.
    func graph(rounding grids: [Int: ActivationGrid]) -> Graph {
        var graph = graph
        var names = Set(graph.nodes.map(\.name))
        var rounded: [String: String] = [:]
        for place in grids.keys.sorted() {
            let name = place == Network.input ? Graph.input : nodes[place].name
            var new = "\(name)_quantised"
            while !names.insert(new).inserted { new += "_" }
            rounded[name] = new
        }
        func rounding(_ name: String, _ grid: ActivationGrid) -> Graph.Node? {
            rounded[name].map { new in
                Graph.Node(
                    .fakeQuantize, new, inputs: [name],
                    [
                        "scale": .number(Double(grid.scale)), "zero": .integer(grid.zero), "low": .integer(grid.low),
                        "high": .integer(grid.high),
                    ])
            }
        }
        let byName = Dictionary(uniqueKeysWithValues: grids.map { ($0 == Network.input ? Graph.input : nodes[$0].name, $1) })
        let weighted = Set(nodes.filter { $0.weightAndBias != nil }.map(\.name))
        let old = graph.nodes
        graph.nodes = byName[Graph.input].flatMap { rounding(Graph.input, $0) }.map { [$0] } ?? []
        for var node in old {
            node.inputs = node.inputs.map { rounded[$0] ?? $0 }
            if weighted.contains(node.name) { node.attributes["bias"] = true }
            graph.nodes.append(node)
            if let grid = byName[node.name], let new = rounding(node.name, grid) { graph.nodes.append(new) }
        }
        graph.output = graph.output ?? self.graph.last
        graph.feature = graph.feature.map { rounded[$0] ?? $0 }
        return graph
    }
}
