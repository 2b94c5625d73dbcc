import Networks
import Numerics

/// A file's network as a graph of ours, node by node.
///
/// Names stand for constants, which are computed here and now, or for activations, which become nodes. What an operator
/// becomes, `ONNXImport+Operators.swift` says.
final class ONNXImport {
    let model: ONNXModel
    let opset: Int
    /// A tensor of the file, if the caller names one.
    let featureName: String?
    var graph: Graph
    /// What a file fixes the batch at, which then means any batch; nil when it is free.
    private(set) var fixedBatch: Int?
    var budget: ONNXBudget

    private(set) var values: [String: ONNXValue] = [:]
    /// The nodes, of those that the output depends on, that read a tensor.
    private(set) var readers: [String: [Int]] = [:]
    /// Tensors that are more than one node's, or also the file's output or the feature.
    private var shared: Set<String> = []
    private let output: ONNXInterface
    let end: ONNXEnd
    /// What each parameter is made of, in turn.
    private var fillings: [String: [(Tensor) throws -> Void]] = [:]
    private(set) var places: [String: Int] = [:]
    private var names: [String: Int] = [Graph.input: 1]
    private var arranged: [String: String] = [:]
    /// Those whose input is one pixel: linear layers by another name.
    var pixelConvolutions: Set<String> = []
    /// The first nodes with weights, by their kind and the constants that these are made of.
    private var owners: [String: String] = [:]
    /// Nodes that have their weights from another.
    private var borrowers: Set<String> = []
    /// Nodes whose weights are another's too, so that they may not take in what concerns one of them.
    private(set) var sharing: Set<String> = []
    /// Nodes whose weights took in more than their own constants.
    var altered: Set<String> = []
    /// Constants of one number, by their nodes.
    var scalars: [String: Float] = [:]
    /// What nodes subtract from the input, and what the file calls the operator, by their names: see `ONNXImport+Units.swift`.
    var means: [String: (name: String, mean: ONNXTensor)] = [:]
    /// Initializers that constants were made of without a change of meaning, for their names.
    private var origins: [String: String] = [:]

    static let opsets = 7...23

    /// - Parameters:
    ///   - name: of the network, for messages.
    ///   - inputShape: [channels, height, width] or what the network takes, where the file leaves it free.
    ///   - feature: a tensor of the file; nil for the input of its last linear layer.
    ///   - output: one of the file's, where it is not plain which is the classifier's.
    init(
        _ model: ONNXModel, name: String, size: Int, inputShape: [Int]?, feature: String?, output: String? = nil
    ) throws {
        self.model = model
        featureName = feature
        budget = ONNXBudget(size: size)
        guard let opset = model.opsets[""] else {
            throw DaflError(
                .unsupported, "uses no operators of ONNX's own, but of \(Self.domains(model)); \(ONNXImport.wayOut)")
        }
        guard Self.opsets.contains(opset) else {
            throw DaflError(
                .unsupported, "is of opset \(opset); opsets \(Self.opsets.lowerBound) to \(Self.opsets.upperBound) are read"
            )
        }
        self.opset = opset
        let output = try ONNXOutput.chosen(model, named: output, feature: feature)
        self.output = output

        let plan = try ONNXPlan(model, output: output.name)
        readers = plan.readers
        // Once for all: a node may read one tensor at thousands of places.
        shared = Set(plan.readers.lazy.filter { name, places in places.count { Self.reads(model.nodes[$0], name) } > 1 }.map(\.key))
        shared.formUnion([output.name, feature].compactMap { $0 })
        end = ONNXEnd(model, plan, output: output.name)
        let input = try plan.input(model)
        graph = Graph(name, input: [])
        graph.interface.inputName = input.name
        graph.interface.outputName = output.name
        fixedBatch = input.dimensions?.first ?? nil

        for (name, tensor) in model.initializers { values[name] = .constant(tensor) }
        let activation = try self.input(input, shape: inputShape)
        graph.inputShape = activation.stored
        values[input.name] = .activation(activation)
        for place in plan.order { try run(model.nodes[place], at: place) }
        try finish()
    }

    private static func domains(_ model: ONNXModel) -> String {
        model.opsets.keys.sorted().prefix(5).map(quoted).joined(separator: ", ")
    }

    /// For what cannot be imported at all.
    static let wayOut = "query it through ONNX Runtime as a callback teacher instead: dafl.onnx.Teacher"

    // MARK: Walking

    private func run(_ node: ONNXNode, at place: Int) throws {
        let known = node.domain.isEmpty ? opset : model.opsets[node.domain] ?? 0
        let inputs = try node.inputs.map { name in name.isEmpty ? nil : try value(name) }
        let operation = ONNXOperator(node: node, opset: known, values: inputs)
        guard node.domain.isEmpty else {
            throw operation.unsupported("is no operator of ONNX's own; \(Self.wayOut)")
        }
        try operation.requireInputs()
        let results: [ONNXValue]
        do {
            results = try folded(operation)?.map { .constant($0) } ?? imported(operation, at: place)
        } catch let error as DaflError where !error.description.hasPrefix("node ") {
            throw DaflError(error.status, "\(operation.title) \(error.description)")
        }
        for (name, result) in zip(node.outputs, results) where !name.isEmpty {
            if case .activation(let activation) = result { try requireAddressable(activation, operation) }
            values[name] = result
        }
        keepOrigin(of: node)
    }

    /// So that no later product of its dimensions overflows.
    private func requireAddressable(_ activation: ONNXActivation, _ operation: ONNXOperator) throws {
        guard activation.stored.reduce(1.0, { $0 * Double($1) }) < Double(1 << 40) else {
            throw operation.malformed("makes a tensor of shape \(printable("\(activation.dimensions)"))")
        }
    }

    private func value(_ name: String) throws -> ONNXValue {
        guard let value = values[name] else {
            throw DaflError(.unsupported, "reads \(quoted(name)), an output of its operator that is not computed")
        }
        guard case .activation(var activation) = value else { return value }
        activation.isShared = activation.isShared || shared.contains(name)
        return .activation(activation)
    }

    /// Whether a node reads a tensor's numbers, and not only its shape or type.
    private static func reads(_ node: ONNXNode, _ name: String) -> Bool {
        switch node.operation {
        case "Shape", "Size": false
        case "CastLike": node.inputs.first == name
        default: true
        }
    }

    private func keepOrigin(of node: ONNXNode) {
        let kept: Set = [
            "Identity", "Cast", "Transpose", "Reshape", "Squeeze", "Unsqueeze", "DequantizeLinear", "QuantizeLinear",
        ]
        guard kept.contains(node.operation), let input = node.inputs.first, let result = node.outputs.first else { return }
        origins[result] = origins[input] ?? input
    }

    private func finish() throws {
        guard case .activation(var last)? = values[output.name] else {
            throw DaflError(.unsupported, "has an output \(quoted(output.name)) that does not depend on its input")
        }
        // Logits are a vector, though some files leave them an image of one pixel.
        let isVector = last.dimensions.filter { $0 != 1 }.count <= 1
        last.node = try arrange(last, as: isVector ? [last.count] : last.dimensions)
        if last.node == Graph.input {  // a softmax alone
            last.node = try addLayout("reshape", last.node, ["shape": .integers(last.stored)])
        }
        graph.output = last.node
        graph.interface.head = end.head
        if let featureName {
            guard case .activation(let feature)? = values[featureName] else {
                throw DaflError.invalid(
                    "feature", quoted(featureName), "a tensor of the file that its output \(quoted(output.name)) depends on"
                )
            }
            guard feature.node != Graph.input else {
                throw DaflError.invalid("feature", quoted(featureName), "computed from the input, not the input itself")
            }
            graph.feature = feature.node
        } else {
            graph.feature = ONNXFeature(graph, places: places, pixels: pixelConvolutions).node
        }
        let kept = Set([graph.output, graph.feature].compactMap { $0 })
        graph = ONNXPatterns.simplified(graph, scalars: scalars, kept: kept)
        prune()
    }

    /// Drops nodes that nobody reads, such as a padding that a convolution took over.
    private func prune() {
        var needed: Set<String> = []
        if let output = graph.output { needed.insert(output) }
        for node in graph.nodes.reversed() where needed.contains(node.name) { needed.formUnion(node.inputs) }
        graph.nodes.removeAll { !needed.contains($0.name) }
    }

    // MARK: Making nodes

    /// A kind that this version of the library has.
    func kind(_ name: String, _ operation: ONNXOperator) throws -> LayerKind {
        guard let kind = LayerKind(rawValue: name) else {
            throw operation.unsupported("needs a layer of kind \(name), which there is none of")
        }
        return kind
    }

    /// Adds a node and returns its name.
    /// - Parameters:
    ///   - weight: the place of the input whose name, if it is such as "conv1.weight", names the node, whose weights the
    ///     operator's constants are.
    ///   - reading: what else weights depend on: how they are made of these constants.
    func add(
        _ kind: String, _ operation: ONNXOperator, _ inputs: [String], _ attributes: [String: Attribute] = [:],
        weight: Int? = nil, reading: String = "", suffix: String = ""
    ) throws -> String {
        let name = unique(base(operation.node, weight: weight) + suffix)
        places[name] = graph.nodes.count
        var attributes = attributes
        if weight != nil, let owner = owner(of: name, kind, operation, attributes, reading) {
            attributes["weights_of"] = .text(owner)
        }
        return graph.add(try self.kind(kind, operation), name, inputs: inputs, attributes)
    }

    /// An earlier node whose weights are made of the same constants in the same way; nil where there is none.
    private func owner(
        of name: String, _ kind: String, _ operation: ONNXOperator, _ attributes: [String: Attribute], _ reading: String
    ) -> String? {
        let constants = zip(operation.node.inputs, operation.values).filter { $1?.constant != nil }.map(\.0)
        let shapes = ["outputs", "groups", "kernel", "bias", "axis", "count", "dimensions", "affine"].map {
            attributes[$0]?.description ?? ""
        }
        let key = ([kind, reading] + shapes + constants).joined(separator: "\n")
        guard let owner = owners[key], !altered.contains(owner) else {
            owners[key] = name
            return nil
        }
        borrowers.insert(name)
        sharing.formUnion([owner, name])
        return owner
    }

    /// The node that an activation is the result of; nil for the input.
    func node(_ name: String) -> Graph.Node? { places[name].map { graph.nodes[$0] } }

    func setAttribute(_ key: String, _ value: Attribute, of node: String) {
        guard let place = places[node] else { return }
        graph.nodes[place].attributes[key] = value
    }

    private func base(_ node: ONNXNode, weight: Int?) -> String {
        let suffix = ".weight"
        if let weight, weight < node.inputs.count {
            let tensor = origins[node.inputs[weight]] ?? node.inputs[weight]
            if tensor.hasSuffix(suffix), tensor.count > suffix.count { return String(tensor.dropLast(suffix.count)) }
        }
        return node.name.isEmpty ? node.outputs.first ?? "" : node.name
    }

    private func unique(_ base: String) -> String {
        let longest = 200
        let scalars = base.unicodeScalars.prefix(longest).map { (0x21..<0x7F).contains($0.value) ? Character($0) : "_" }
        var name = scalars.isEmpty ? "node" : String(scalars)
        while let count = names[name] {
            names[name] = count + 1
            name += "_\(count + 1)"
        }
        names[name] = 1
        return name
    }

    /// What a parameter's numbers are made of: the bodies are called in turn on zeros, or on what the one before left.
    func fill(_ parameter: String, _ body: @escaping (Tensor) throws -> Void) {
        if let dot = parameter.lastIndex(of: "."), borrowers.contains(String(parameter[..<dot])) { return }
        fillings[parameter, default: []].append(body)
    }

    /// A parameter that is a constant of the file.
    func fill(_ parameter: String, _ constant: ONNXTensor) {
        fill(parameter) { tensor in
            guard constant.count == tensor.count else {
                throw DaflError(
                    .format, "\(printable(parameter)) has \(constant.count) numbers where \(tensor.count) are needed")
            }
            try constant.load(into: tensor)
        }
    }

    /// The network with its weights.
    func network() throws -> Network {
        let network: Network
        do {
            network = try Network(graph)
        } catch let error as DaflError where error.status == .invalidArgument {
            throw DaflError(.format, "its layers do not fit together: \(printable(error.description, 400))")
        }
        for parameter in network.parameters {
            for body in fillings[parameter.name] ?? [] { try body(parameter.value) }
            try parameter.requireAllowed(or: .format)
        }
        return network
    }

    // MARK: Layout

    /// The node that gives an activation in ONNX's order of elements, in a shape of as many: itself, or a node that reorders.
    func arrange(_ activation: ONNXActivation, as shape: [Int]) throws -> String {
        if activation.isInOrder && activation.stored == shape { return activation.node }
        let key = "\(activation.node) \(activation.order) \(shape)"
        if let known = arranged[key] { return known }
        var (node, stored) = (activation.node, activation.stored)
        if !activation.isInOrder {
            node = try addLayout("transpose", node, ["order": .integers(activation.order)])
            stored = activation.order.map { stored[$0] }
        }
        if stored != shape {
            node =
                shape.count == 1
                ? try addLayout("flatten", node, [:]) : try addLayout("reshape", node, ["shape": .integers(shape)])
        }
        arranged[key] = node
        return node
    }

    private func addLayout(_ kind: String, _ input: String, _ attributes: [String: Attribute]) throws -> String {
        guard let layer = LayerKind(rawValue: kind) else {
            throw DaflError(.unsupported, "needs a layer of kind \(kind), which there is none of")
        }
        let name = unique("\(input == Graph.input ? "image" : input)_\(kind)")
        places[name] = graph.nodes.count
        return graph.add(layer, name, inputs: [input], attributes)
    }

    /// The activation stored so that each of ONNX's axes is one of the node's, and which.
    func explicit(_ activation: ONNXActivation) throws -> (activation: ONNXActivation, axes: [Int]) {
        if let axes = activation.axes { return (activation, axes) }
        var result = ONNXActivation(try arrange(activation, as: activation.dimensions), activation.dimensions)
        (result.quantisation, result.isShared) = (activation.quantisation, activation.isShared)
        return (result, Array(result.stored.indices))
    }

    /// The activation stored as [channels, height, width]; a signal of one dimension is as wide as a pixel.
    func image(_ activation: ONNXActivation, _ operation: ONNXOperator) throws -> ONNXActivation {
        var shape = activation.dimensions
        guard (1...3).contains(shape.count) else {
            throw operation.unsupported("works on \(shape.count - 1) dimensions; images have 2")
        }
        while shape.count < 3 { shape.append(1) }
        let trimmed = shape.prefix { _ in true }
        if activation.isInOrder, activation.stored.count <= 3,
            activation.stored == Array(trimmed.prefix(activation.stored.count)),
            shape[activation.stored.count...].allSatisfy({ $0 == 1 })
        {
            var result = activation
            (result.stored, result.order) = (shape, [0, 1, 2])
            return result
        }
        var result = ONNXActivation(try arrange(activation, as: shape), shape, dimensions: activation.dimensions)
        (result.quantisation, result.isShared) = (activation.quantisation, activation.isShared)
        return result
    }
}

/// How much may be computed while a file is read, so that a small file cannot ask for much work or memory.
struct ONNXBudget {
    private var left: Int

    /// Of constants that are one number everywhere. Files that were emptied of their weights have such: VGG-19's are 144 million.
    private var repeatedLeft = 1 << 28

    /// - Parameter size: the file's bytes.
    init(size: Int) { left = 16 * size + (1 << 22) }

    mutating func takeRepeated(_ numbers: Int) throws {
        guard numbers <= repeatedLeft else {
            throw DaflError(.unsupported, "has more than \(1 << 28) weights that are made of one number")
        }
        repeatedLeft -= numbers
    }

    /// - Throws: `unsupported` when `numbers` more are too many.
    mutating func take(_ numbers: Int) throws {
        guard numbers <= left else {
            throw DaflError(.unsupported, "computes more numbers from constants than a file of its size may")
        }
        left -= numbers
    }
}
