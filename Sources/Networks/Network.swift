import Numerics

/// A graph with its weights: layers that can branch and join.
///
///     let network = try Network(architecture: "lenet5-half", seed: 0)
///     let pass = try Pass(network, input: images, compute)
///     pass.forward()
///     pass.output[0, 3]  // the first image's logit of class 3
///
/// The memory for a batch's activations is a `Pass`, of which a network can have many. One thread at a time may use a network
/// and its passes.
package final class Network {
    /// A layer and where its inputs come from.
    package struct Node {
        package let kind: LayerKind
        package let name: String
        package let layer: any Layer
        /// Its attributes with their defaults, in full: see `Blueprint.settings`.
        package let settings: [String: Attribute]
        /// Indices of earlier nodes; `Network.input` is the network's input.
        package let inputs: [Int]
        package let outputShape: Shape
    }

    package static let input = -1
    /// Several times what any network of today has. To plan the memory of a pass takes the square of it.
    private static let mostNodes = 1 << 13

    package let graph: Graph
    /// The string that names the graph: see `Architecture`. nil for a graph without such a name.
    package let architecture: String?
    package let inputShape: Shape
    /// Those of the graph that its output depends on. The last node's output is the network's.
    package let nodes: [Node]
    /// The node whose output is the feature vector before the last fully connected block; nil for none.
    package let featureNode: Int?
    /// Each once, those of shared weights too.
    package let parameters: [Parameter]

    /// A network whose weights are about to be set: those of linear and convolution layers are zero.
    /// - Throws: `invalidArgument` when the graph is none, with the place; `outOfMemory`.
    package init(_ graph: Graph, architecture: String? = nil) throws {
        (self.graph, self.architecture) = (graph, architecture)
        let inputShape = try Self.addressable(Shape(graph.inputShape))
        self.inputShape = inputShape
        guard graph.nodes.count <= Self.mostNodes else {
            throw DaflError.invalid("the number of nodes", graph.nodes.count, "at most \(Self.mostNodes)")
        }
        let plan = try GraphPlan(graph)

        var nodes: [Node] = []
        var layers: [String: any Layer] = [:]
        for (place, inputs) in zip(plan.places, plan.inputs) {
            let node = graph.nodes[place]
            let shapes = inputs.map { $0 == Network.input ? inputShape : nodes[$0].outputShape }
            let blueprint = Blueprint(node, at: place, inputs: shapes) { layers[$0] }
            let (layer, outputShape) = try blueprint.naming {
                let layer = try node.kind.layer(blueprint)
                let outputShape = try Self.addressable(layer.outputShape(shapes))
                try blueprint.finish()
                return (layer, outputShape)
            }
            layers[node.name] = layer
            nodes.append(
                Node(
                    kind: node.kind, name: node.name, layer: layer, settings: blueprint.settings, inputs: inputs,
                    outputShape: outputShape))
        }
        self.nodes = nodes
        featureNode = plan.feature
        var known: Set<ObjectIdentifier> = []
        parameters = nodes.flatMap(\.layer.parameters).filter { known.insert(ObjectIdentifier($0)).inserted }
    }

    /// Layers add and multiply sizes, which none of this size overflows.
    private static func addressable(_ shape: Shape) throws -> Shape {
        guard shape.count <= 1 << 44 else {
            throw DaflError(.outOfMemory, "activations of shape \(shape) are larger than any machine's memory")
        }
        return shape
    }

    /// For messages.
    package var name: String { architecture ?? graph.name }
    package var outputShape: Shape { nodes.last?.outputShape ?? inputShape }
    /// Whether it has batch normalisations, which keep statistics of the images that it was trained on.
    package var keepsStatistics: Bool { nodes.contains { $0.layer is BatchNorm } }
    package var featureShape: Shape? { featureNode.map { nodes[$0].outputShape } }
    /// Those of its linear layers and convolutions; biases and what belongs to normalisations have one dimension.
    package var layerWeights: [Parameter] { trainedParameters.filter { $0.value.shape.rank >= 2 } }
    package var trainedParameters: [Parameter] { parameters.filter(\.isTrained) }
    /// Trained numbers.
    package var parameterCount: Int { trainedParameters.reduce(0) { $0 + $1.value.count } }
    /// Multiplications with weights for one input.
    package var multiplyAdds: Int {
        nodes.reduce(0) { sum, node in
            let (total, overflow) = sum.addingReportingOverflow(
                node.layer.multiplyAdds(shapes(of: node.inputs), output: node.outputShape))
            return overflow ? Int.max : total
        }
    }

    /// The graph of the nodes that the output depends on, with the attributes that were left out.
    package var fullGraph: Graph {
        let sharing = Dictionary(uniqueKeysWithValues: graph.nodes.map { ($0.name, $0.attributes["weights_of"]) })
        var full = graph
        full.nodes = nodes.map { node in
            // Bounds that are none are infinite.
            var attributes = node.settings.filter { if case .number(let number) = $0.value { number.isFinite } else { true } }
            attributes["weights_of"] = sharing[node.name] ?? nil
            let inputs = node.inputs.map { $0 == Network.input ? Graph.input : nodes[$0].name }
            return Graph.Node(node.kind, node.name, inputs: inputs, attributes)
        }
        full.output = full.last
        return full
    }

    /// By the index of a node, or `Network.input`: the nodes that read its output, as often as they do.
    package var readers: [Int: [Int]] {
        var readers: [Int: [Int]] = [:]
        for (index, node) in nodes.enumerated() {
            for input in node.inputs { readers[input, default: []].append(index) }
        }
        return readers
    }

    package func shapes(of indices: [Int]) -> [Shape] {
        indices.map { $0 == Network.input ? inputShape : nodes[$0].outputShape }
    }

    /// Rises with every change of its weights: see `Tensor.version`.
    package var version: Int { parameters.reduce(0) { $0 &+ $1.value.version } }

    /// Says that a pass has trained, which writes running statistics one by one.
    package func touch() { parameters.first?.value.touch() }

    package func parameter(named name: String) -> Parameter? {
        parameters.first { $0.name == name }
    }

    /// Copies all weights and buffers of a network of the same graph.
    package func load(_ other: Network) {
        precondition(other.graph == graph)
        for (mine, theirs) in zip(parameters, other.parameters) { mine.value.load(theirs.value) }
    }

    /// Copies those weights and buffers of another network that have the same names and shapes as its own.
    package func loadWeights(of other: Network) {
        for parameter in parameters {
            guard let same = other.parameter(named: parameter.name)?.value, same.shape == parameter.value.shape else { continue }
            parameter.value.load(same)
        }
    }

    package func copy() throws -> Network {
        let copy = try Network(graph, architecture: architecture)
        copy.load(self)
        return copy
    }

    /// Whether every weight is a finite number.
    package var isFinite: Bool { parameters.allSatisfy(\.value.isFinite) }
}

extension Network: Persistent {
    /// Weights and buffers, by their names.
    package func persist(_ archive: Archive) {
        for parameter in parameters { archive.tensor(parameter.name, parameter.value) }
    }
}
