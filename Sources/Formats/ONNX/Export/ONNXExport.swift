import Networks
import Numerics

extension Network {
    /// Writes it as an ONNX file, whole or not at all; the same network makes the same bytes.
    ///
    /// Inputs are [batch, ...] of any batch, channels last where `graph.interface` says so. Weights have their parameters'
    /// names. Dropout is there with its rate, and does nothing in inference.
    /// - Parameters:
    ///   - softmax: whether the outputs are probabilities; nil as `graph.interface.head` says. Of a network whose head is a
    ///     sigmoid, they are its.
    ///   - version: of the library, for the file to tell.
    /// - Throws: `io`, `invalidArgument` when a number is not allowed, `unsupported` when the file would be larger than the
    ///   format allows, `outOfMemory`.
    package func save(onnx path: String, softmax: Bool? = nil, version: String = "") throws {
        for parameter in parameters { try parameter.requireAllowed(or: .invalidArgument) }
        try naming(path) {
            var export = ONNXExport(self)
            let model = try export.model(head: head(softmax: softmax), version: version)
            guard model.count <= ONNXExport.largest else {
                throw DaflError(
                    .unsupported, "would have \(model.count) bytes; an ONNX file has at most \(ONNXExport.largest)")
            }
            let file = try UnsafeFileReplacement(path: path)
            try model.write(to: file)
            try file.commit()
        }
    }

    private func head(softmax: Bool?) -> Graph.Interface.Head {
        guard let softmax else { return graph.interface.head }
        if !softmax { return .none }
        return graph.interface.head == .sigmoid || outputShape.count == 1 ? .sigmoid : .softmax
    }
}

/// A network as the operators of an ONNX file.
///
/// Of operator set 17: the first with LayerNormalization, so that all runtimes since 2022 take it. What later sets alone have,
/// such as Gelu, Mish and GroupNormalization, is written in the operators that they stand for.
struct ONNXExport {
    static let opset = 17
    /// The version that operator set 17 came with.
    static let irVersion = 8
    /// Protobuf's own limit.
    static let largest = Int(Int32.max)

    /// A tensor of the file that depends on the network's input.
    struct Value {
        var tensor: String
        /// Of a sample.
        let shape: [Int]
    }

    /// What a node reads: what earlier ones gave, or a constant, which is not in the file before it is known how it is used.
    enum Operand {
        case value(Value)
        case constant(Parameter)

        var shape: [Int] {
            switch self {
            case .value(let value): value.shape
            case .constant(let constant): constant.value.shape.dimensions
            }
        }
    }

    private struct Operation {
        let name: String
        let type: String
        var inputs: [String]
        var output: String
        let attributes: KeyValuePairs<String, Attribute>
    }

    private enum Numbers {
        case floats(Tensor)
        case bytes([UInt8])
    }

    private struct Initializer {
        let name: String
        let type: NumberType
        let dimensions: [Int]
        let numbers: Numbers
    }

    private let network: Network
    private var operations: [Operation] = []
    private var initializers: [Initializer] = []
    /// How often a name was asked for.
    private var names: [String: Int] = [:]
    private var input = ""
    private var output = ""
    /// Of parameters, whether or not they are in the file yet.
    private var parameterNames: [ObjectIdentifier: String] = [:]
    /// By what they hold and their dimensions: what several nodes need is written once.
    private var known: [String: String] = [:]

    /// What layers read and their weights are, by their names, in a network of eight bits; nil for any other.
    let eightBitLayers: [String: (input: ActivationGrid, weights: WeightGrid)]?

    init(_ network: Network) {
        self.network = network
        eightBitLayers = network.eightBitLayers
        let interface = network.graph.interface
        // The names that others know come first.
        input = unique(interface.inputName)
        output = unique(interface.outputName)
        for parameter in network.parameters { parameterNames[ObjectIdentifier(parameter)] = unique(parameter.name) }
    }

    private mutating func unique(_ base: String) -> String {
        var name = base.isEmpty ? "tensor" : base
        while let count = names[name] {
            names[name] = count + 1
            name += "_\(count + 1)"
        }
        names[name] = 1
        return name
    }

    // MARK: Operators

    /// Adds an operator with one output, which has its name, or one like it.
    mutating func add(
        _ type: String, _ inputs: [String], _ attributes: KeyValuePairs<String, Attribute> = [:], named base: String,
        to shape: [Int]
    ) -> Value {
        let name = unique(base)
        operations.append(Operation(name: name, type: type, inputs: inputs, output: name, attributes: attributes))
        return Value(tensor: name, shape: shape)
    }

    /// The same numbers in another shape.
    mutating func reshape(_ value: Value, to shape: [Int], named base: String) -> Value {
        if value.shape == shape { return value }
        // 0 stands for the batch's size.
        let target = integers([0] + shape, named: "\(base)/shape")
        return add("Reshape", [value.tensor, target], named: base, to: shape)
    }

    /// A constant once for every sample, for operators that do not broadcast.
    mutating func spread(_ constant: Parameter, named base: String) -> Value {
        let shape = constant.value.shape.dimensions
        let batch = add("Shape", [input], ["start": 0, "end": 1], named: "\(base)/Shape", to: [])
        let ones = integers(shape.map { _ in 1 }, named: "\(base)/ones")
        let target = add("Concat", [batch.tensor, ones], ["axis": 0], named: "\(base)/Concat", to: [])
        return add(
            "Expand", [initializer(constant, [1] + shape), target.tensor], named: "\(base)/Expand", to: shape)
    }

    // MARK: Constants

    private mutating func initializer(
        _ base: String, _ type: NumberType, _ dimensions: [Int], _ numbers: Numbers
    ) -> String {
        let name = unique(base)
        initializers.append(Initializer(name: name, type: type, dimensions: dimensions, numbers: numbers))
        return name
    }

    /// A parameter under its name.
    /// - Parameter dimensions: nil for its own; others, of as many numbers, for where they are broadcast.
    mutating func initializer(_ parameter: Parameter, _ dimensions: [Int]? = nil) -> String {
        let dimensions = dimensions ?? parameter.value.shape.dimensions
        let key = "\(ObjectIdentifier(parameter)) \(dimensions)"
        if let known = known[key] { return known }
        // The name is taken already, by the parameter itself: a second form of it gets another.
        let name = parameterNames.removeValue(forKey: ObjectIdentifier(parameter)) ?? unique(parameter.name)
        initializers.append(
            Initializer(name: name, type: .f32, dimensions: dimensions, numbers: .floats(parameter.value)))
        known[key] = name
        return name
    }

    /// A weight that a layer does without.
    mutating func initializer(repeating number: Float, _ dimensions: [Int]) throws -> String {
        let key = "\(number) \(dimensions)"
        if let known = known[key] { return known }
        let tensor = try Tensor(dimensions)
        tensor.fill(number)
        let title = ([number == 0 ? "zeros" : "ones"] + dimensions.map { "\($0)" }).joined(separator: "_")
        let name = initializer(title, .f32, dimensions, .floats(tensor))
        known[key] = name
        return name
    }

    mutating func scalar(_ number: Float, named base: String) -> String {
        initializer(base, .f32, [], .bytes(littleEndian(number.bitPattern)))
    }

    mutating func floats(_ numbers: [Float], named base: String) -> String {
        initializer(base, .f32, [numbers.count], .bytes(numbers.flatMap { littleEndian($0.bitPattern) }))
    }

    /// - Parameter numbers: each in the range of the type, which has whole numbers of 8 or 32 bits.
    mutating func quantised(_ numbers: [Int], _ type: NumberType, _ dimensions: [Int], named base: String) -> String {
        let bytes = numbers.flatMap { type.bytes == 1 ? [UInt8(truncatingIfNeeded: $0)] : littleEndian(Int32($0)) }
        return initializer(base, type, dimensions, .bytes(bytes))
    }

    mutating func integers(_ numbers: [Int], named base: String) -> String {
        initializer(base, .i64, [numbers.count], .bytes(numbers.flatMap { littleEndian(Int64($0)) }))
    }

    // MARK: The file

    mutating func model(head: Graph.Interface.Head, version: String) throws -> ProtobufWriter {
        let result = try walk(head: head)
        finish(result)

        typealias Field = ONNXField.Model
        var model = ProtobufWriter()
        model.write(Field.irVersion, Self.irVersion)
        model.write(Field.producerName, ONNXModel.ownProducer)
        if !version.isEmpty { model.write(Field.producerVersion, version) }
        model.write(Field.graph, graph(result.shape))
        var opset = ProtobufWriter()
        opset.write(ONNXField.Opset.domain, "")
        opset.write(ONNXField.Opset.version, Self.opset)
        model.write(Field.opset, opset)
        return model
    }

    private var inputShape: [Int] { network.inputShape.dimensions }
    private var isChannelsLast: Bool { network.graph.interface.isChannelsLast && inputShape.count > 1 }

    /// All nodes, and what the network gives.
    private mutating func walk(head: Graph.Interface.Head) throws -> Value {
        var image = Value(tensor: input, shape: inputShape)
        if isChannelsLast {
            let order = [0, inputShape.count] + (1..<inputShape.count)
            image = add("Transpose", [input], ["perm": .integers(order)], named: "channels_first", to: inputShape)
        }
        var results: [Operand] = []
        for (index, node) in network.nodes.enumerated() {
            let operands = node.inputs.map { $0 == Network.input ? .value(image) : results[$0] }
            var result = try operand(of: ONNXLayer(node, operands))
            if node.handsNumbersOn, case .value(let value) = result {
                result = .value(roundedAgain(value, on: network.grid(readBy: index), named: node.name))
            }
            results.append(result)
        }
        let result: Value =
            switch results.last {
            case .value(let value): value
            case .constant(let constant): spread(constant, named: "output")
            case nil: image
            }
        switch head {
        case .none: return result
        case .softmax: return add("Softmax", [result.tensor], ["axis": 1], named: "softmax", to: result.shape)
        case .logSoftmax: return add("LogSoftmax", [result.tensor], ["axis": 1], named: "log_softmax", to: result.shape)
        case .sigmoid: return add("Sigmoid", [result.tensor], named: "sigmoid", to: result.shape)
        }
    }

    /// Gives the network's output its name.
    private mutating func finish(_ result: Value) {
        guard operations.contains(where: { $0.output == result.tensor }) else {
            let operation = Operation(
                name: unique("identity"), type: "Identity", inputs: [result.tensor], output: output, attributes: [:])
            return operations.append(operation)
        }
        for i in operations.indices {
            if operations[i].output == result.tensor { operations[i].output = output }
            operations[i].inputs = operations[i].inputs.map { $0 == result.tensor ? output : $0 }
        }
    }

    private func graph(_ outputShape: [Int]) -> ProtobufWriter {
        typealias Field = ONNXField.Graph
        var graph = ProtobufWriter()
        for operation in operations { graph.write(Field.node, message(operation)) }
        graph.write(Field.name, network.name.isEmpty ? "network" : network.name)
        for initializer in initializers { graph.write(Field.initializer, message(initializer)) }
        let inputShape = isChannelsLast ? inputShape.dropFirst() + inputShape.prefix(1) : inputShape[...]
        graph.write(Field.input, message(input, Array(inputShape)))
        graph.write(Field.output, message(output, outputShape))
        return graph
    }

    private func message(_ operation: Operation) -> ProtobufWriter {
        typealias Field = ONNXField.Node
        var node = ProtobufWriter()
        for input in operation.inputs { node.write(Field.input, input) }
        node.write(Field.output, operation.output)
        node.write(Field.name, operation.name)
        node.write(Field.operation, operation.type)
        for (name, attribute) in operation.attributes { node.write(Field.attribute, message(name, attribute)) }
        return node
    }

    private func message(_ name: String, _ attribute: Attribute) -> ProtobufWriter {
        typealias Field = ONNXField.Attribute
        var message = ProtobufWriter()
        message.write(Field.name, name)
        switch attribute {
        case .integer(let integer): message.write(Field.integer, integer)
        case .flag(let flag): message.write(Field.integer, flag ? 1 : 0)
        case .number(let number): message.write(Field.float, Float(number))
        case .text(let text): message.write(Field.text, text)
        case .integers(let integers): for integer in integers { message.write(Field.integers, integer) }
        }
        let type: ONNXField.AttributeType =
            switch attribute {
            case .integer, .flag: .integer
            case .number: .float
            case .text: .text
            case .integers: .integers
            }
        message.write(Field.type, type.rawValue)
        return message
    }

    private func message(_ initializer: Initializer) -> ProtobufWriter {
        typealias Field = ONNXField.Tensor
        var tensor = ProtobufWriter()
        for dimension in initializer.dimensions { tensor.write(Field.dimension, dimension) }
        tensor.write(Field.type, initializer.type.onnx)
        tensor.write(Field.name, initializer.name)
        switch initializer.numbers {
        case .floats(let floats): tensor.write(Field.raw, floats)
        case .bytes(let bytes): tensor.write(Field.raw, bytes)
        }
        return tensor
    }

    /// An input or output of float32.
    private func message(_ name: String, _ sample: [Int]) -> ProtobufWriter {
        var shape = ProtobufWriter()
        var batch = ProtobufWriter()
        batch.write(ONNXField.Dimension.name, "batch")
        shape.write(ONNXField.Shape.dimension, batch)
        for size in sample {
            var dimension = ProtobufWriter()
            dimension.write(ONNXField.Dimension.size, size)
            shape.write(ONNXField.Shape.dimension, dimension)
        }
        var tensor = ProtobufWriter()
        tensor.write(ONNXField.TensorType.element, NumberType.f32.onnx)
        tensor.write(ONNXField.TensorType.shape, shape)
        var type = ProtobufWriter()
        type.write(ONNXField.ValueType.tensor, tensor)
        var interface = ProtobufWriter()
        interface.write(ONNXField.Interface.name, name)
        interface.write(ONNXField.Interface.type, type)
        return interface
    }
}
