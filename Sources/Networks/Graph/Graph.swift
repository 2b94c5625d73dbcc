/// What a network is, without its weights: an input, and nodes that each compute something of earlier ones.
///
///     var graph = Graph("small", input: [1, 28, 28])
///     graph.add(.convolution, "conv1", ["outputs": 8, "kernel": 3, "stride": 2])
///     graph.add(.relu)
///     graph.feature = graph.add(.flatten)
///     graph.add(.linear, "fc", ["outputs": 10])
///     let network = try Network(graph)
///
/// A value that anyone may put together: `Network.init` checks it. What attributes a kind of node has, its layer says, in
/// `Sources/Networks/Layers`; docs/networks.md has the table.
package struct Graph: Equatable, Sendable {
    package struct Node: Equatable, Sendable {
        package var kind: LayerKind
        /// Unlike any other node's. Weights are named after it: "conv1.weight".
        package var name: String
        /// Names of nodes, or `Graph.input`.
        package var inputs: [String]
        package var attributes: [String: Attribute]

        package init(
            _ kind: LayerKind, _ name: String, inputs: [String], _ attributes: [String: Attribute] = [:]
        ) {
            (self.kind, self.name, self.inputs, self.attributes) = (kind, name, inputs, attributes)
        }
    }

    /// How a file of the network shows it to those who run it elsewhere. The library's own inputs are channels first, and its
    /// own outputs are logits.
    package struct Interface: Equatable, Sendable {
        package enum Head: String, CaseIterable, Sendable {
            case none, softmax, sigmoid
            case logSoftmax = "log_softmax"
        }

        package var inputName = "input"
        package var outputName = "output"
        /// Whether a file takes [height, width, channels].
        package var isChannelsLast = false
        /// What a file applies to the logits.
        package var head = Head.none

        package init() {}
    }

    /// The name of the network's input among those of nodes.
    package static let input = "input"

    /// For messages.
    package var name: String
    /// [channels, height, width], or [numbers] of a vector.
    package var inputShape: [Int]
    /// Each after those that it reads.
    package var nodes: [Node] = []
    /// The node whose output is the network's; nil for the last.
    package var output: String?
    /// The node whose output is the feature vector, the input of the last linear layer; nil for none.
    package var feature: String?
    package var interface = Interface()

    package init(_ name: String, input: [Int]) {
        (self.name, inputShape) = (name, input)
    }

    /// The name of what the last node computes.
    package var last: String { nodes.last?.name ?? Graph.input }

    /// A name that no node has: the wanted one, where it is free.
    package func unused(_ name: String) -> String {
        let taken = Set(nodes.map(\.name))
        var name = name
        while taken.contains(name) { name += "_" }
        return name
    }

    /// Adds a node and returns its name.
    /// - Parameter inputs: nil for the node added last, or the network's input.
    @discardableResult
    package mutating func add(
        _ kind: LayerKind, _ name: String, inputs: [String]? = nil, _ attributes: [String: Attribute] = [:]
    ) -> String {
        nodes.append(Node(kind, name, inputs: inputs ?? [last], attributes))
        return name
    }

    /// The same, named for its kind and place, such as "relu_3".
    @discardableResult
    package mutating func add(
        _ kind: LayerKind, inputs: [String]? = nil, _ attributes: [String: Attribute] = [:]
    ) -> String {
        add(kind, "\(kind.rawValue)_\(nodes.count)", inputs: inputs, attributes)
    }
}
