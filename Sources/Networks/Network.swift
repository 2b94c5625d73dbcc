import Numerics

/// A graph of layers that can branch and join, with its weights.
///
///     let network = try Network(architecture: "lenet5-half", seed: 0)
///     let pass = try Pass(network, input: images, compute)
///     pass.forward()
///     pass.output[0, 3]  // the first image's logit of class 3
///
/// A network is a description with weights; the memory for a batch's activations is a `Pass`, of which it can have many.
/// One thread at a time may use a network and its passes.
package final class Network {
    /// A layer and where its inputs come from.
    package struct Node {
        package let layer: any Layer
        /// Indices of earlier nodes; `Network.input` is the network's input.
        package let inputs: [Int]
        package let outputShape: Shape
    }

    package static let input = -1

    /// The string that rebuilds this network: see `Architecture`.
    package let architecture: String
    package let inputShape: Shape
    /// In an order in which every node comes after its inputs. The last node's output is the network's.
    package let nodes: [Node]
    /// The node whose output is the feature vector before the last fully connected block; nil for none.
    package let featureNode: Int?
    package let parameters: [Parameter]

    init(architecture: String, inputShape: Shape, nodes: [Node], featureNode: Int?) {
        self.architecture = architecture
        self.inputShape = inputShape
        self.nodes = nodes
        self.featureNode = featureNode
        parameters = nodes.flatMap(\.layer.parameters)
    }

    package var outputShape: Shape { nodes.last?.outputShape ?? inputShape }
    /// Whether it has batch normalisations, which keep statistics of the images that it was trained on.
    package var keepsStatistics: Bool { nodes.contains { $0.layer is BatchNorm } }
    package var featureShape: Shape? { featureNode.map { nodes[$0].outputShape } }
    package var trainedParameters: [Parameter] { parameters.filter(\.isTrained) }
    /// Trained numbers.
    package var parameterCount: Int { trainedParameters.reduce(0) { $0 + $1.value.count } }
    /// Multiplications with weights for one input.
    package var multiplyAdds: Int {
        nodes.reduce(0) { $0 + $1.layer.multiplyAdds(shapes(of: $1.inputs), output: $1.outputShape) }
    }

    package func shapes(of indices: [Int]) -> [Shape] {
        indices.map { $0 == Network.input ? inputShape : nodes[$0].outputShape }
    }

    package func parameter(named name: String) -> Parameter? {
        parameters.first { $0.name == name }
    }

    /// Copies all weights and buffers of a network of the same architecture.
    package func load(_ other: Network) {
        precondition(other.architecture == architecture)
        for (mine, theirs) in zip(parameters, other.parameters) { mine.value.load(theirs.value) }
    }

    package func copy() throws -> Network {
        let copy = try Network(architecture: architecture)
        copy.load(self)
        return copy
    }

    /// Whether every weight is a finite number.
    package var isFinite: Bool { parameters.allSatisfy(\.value.isFinite) }
}

/// Puts a network together, node by node; each call returns the new node's index.
package struct NetworkBuilder {
    private let inputShape: Shape
    private var nodes: [Network.Node] = []

    /// - Parameter units: how many means and deviations the inputs have, which a first layer standardises; nil for none.
    package init(inputShape: [Int], units: Int? = nil) throws {
        self.inputShape = try Shape(inputShape)
        if let units { try add(UnitScaling(InputUnits(count: units), .standardising)) }
    }

    /// Brings what the last node computes to units of its own.
    package mutating func restore(units: Int?) throws {
        if let units { try add(UnitScaling(InputUnits(count: units), .restoring)) }
    }

    @discardableResult
    package mutating func add(_ layer: any Layer, inputs: [Int]) throws -> Int {
        let shapes = inputs.map { $0 == Network.input ? inputShape : nodes[$0].outputShape }
        nodes.append(Network.Node(layer: layer, inputs: inputs, outputShape: try layer.outputShape(shapes)))
        return nodes.count - 1
    }

    /// After the node added last, or the network's input.
    @discardableResult
    package mutating func add(_ layer: any Layer) throws -> Int {
        try add(layer, inputs: [nodes.count - 1])
    }

    package func build(architecture: String, featureNode: Int?) -> Network {
        Network(architecture: architecture, inputShape: inputShape, nodes: nodes, featureNode: featureNode)
    }
}
