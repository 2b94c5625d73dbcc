import Numerics

/// The order in which a graph is computed, of the nodes that its output depends on.
struct GraphPlan {
    /// Indices of `Graph.nodes`, each after those that it reads; the output's is the last.
    private(set) var places: [Int] = []
    /// For each, which of `places` it reads, or `Network.input`.
    private(set) var inputs: [[Int]] = []
    /// Which of `places` computes the feature.
    let feature: Int?

    /// - Throws: `invalidArgument` when names are not unique, or of no node, or a node reads itself or a later one.
    init(_ graph: Graph) throws {
        var named: [String: Int] = [:]
        var read: [[Int]] = []
        for (place, node) in graph.nodes.enumerated() {
            read.append(
                try node.inputs.enumerated().map { position, name in
                    if name == Graph.input { return Network.input }
                    guard let earlier = named[name] else {
                        throw DaflError.invalid(
                            "nodes[\(place)].inputs[\(position)]", "\"\(name)\"", "\"\(Graph.input)\" or the name of an earlier node")
                    }
                    return earlier
                })
            guard node.name != Graph.input, !node.name.isEmpty, named.updateValue(place, forKey: node.name) == nil else {
                throw DaflError.invalid("nodes[\(place)].name", "\"\(node.name)\"", "unlike \"\(Graph.input)\" and the others' names")
            }
        }
        func place(of name: String, _ role: String) throws -> Int {
            guard let place = named[name] else { throw DaflError.invalid(role, "\"\(name)\"", "the name of a node") }
            return place
        }
        guard let output = try graph.output.map({ try place(of: $0, "output") }) ?? graph.nodes.indices.last else {
            throw DaflError.invalid("the number of nodes", 0, "at least 1")
        }

        var isNeeded = [Bool](repeating: false, count: graph.nodes.count)
        isNeeded[output] = true
        for place in stride(from: output, through: 0, by: -1) where isNeeded[place] {
            for input in read[place] where input != Network.input { isNeeded[input] = true }
        }
        places = graph.nodes.indices.filter { isNeeded[$0] }
        let position = Dictionary(uniqueKeysWithValues: zip(places, places.indices))
        inputs = places.map { read[$0].map { position[$0] ?? Network.input } }
        feature = try graph.feature.map { name in
            guard let position = position[try place(of: name, "feature")] else {
                throw DaflError.invalid("feature", "\"\(name)\"", "a node that the output depends on")
            }
            return position
        }
    }
}
