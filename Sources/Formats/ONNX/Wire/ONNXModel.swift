import Numerics

/// What a file says about its network: nodes, constants, and how the network shows itself outside.
///
/// Tensors' numbers stay where they are until they are asked for. All else is read when the model is made, in one pass.
struct ONNXModel {
    /// Versions of the operator sets, by their domains; ONNX's own is "".
    fileprivate(set) var opsets: [String: Int] = [:]
    /// Whether this library wrote it, by the producer's name that its files have.
    fileprivate(set) var isOwn = false
    static let ownProducer = "libdafl"
    var nodes: [ONNXNode] = []
    /// By their names.
    fileprivate(set) var initializers: [String: ONNXTensor] = [:]
    /// Without those that initializers give.
    fileprivate(set) var inputs: [ONNXInterface] = []
    fileprivate(set) var outputs: [ONNXInterface] = []

    /// - Parameter folder: where tensors may have files of their own; nil for nowhere.
    /// - Throws: `format`, `unsupported`.
    init(_ bytes: UnsafeBytes, folder: String?) throws {
        var parser = Parser(bytes: bytes, folder: folder)
        self = try parser.model()
    }

    fileprivate init() {}
}

/// One operator.
struct ONNXNode {
    /// Often empty.
    fileprivate(set) var name = ""
    var operation = ""
    /// "" for ONNX's own operators.
    fileprivate(set) var domain = ""
    /// Names of tensors; "" for an optional one that is absent.
    var inputs: [String] = []
    fileprivate(set) var outputs: [String] = []
    var attributes: [String: ONNXAttribute] = [:]
}

enum ONNXAttribute {
    case float(Float)
    case integer(Int)
    case text(String)
    case tensor(ONNXTensor)
    case floats([Float])
    case integers([Int])
    case texts([String])
    /// Graphs, sparse tensors and what else no operator of a classifier needs.
    case other
}

/// An input or output of the graph.
struct ONNXInterface {
    fileprivate(set) var name = ""
    /// TensorProto.DataType; 0 for what is no tensor.
    fileprivate(set) var type = 0
    /// nil where the file leaves it free; nil as a whole when it does not even tell how many there are.
    fileprivate(set) var dimensions: [Int?]?
}

/// Reads the messages of onnx.proto.
private struct Parser {
    let bytes: UnsafeBytes
    let folder: String?
    private var items = 0

    init(bytes: UnsafeBytes, folder: String?) {
        (self.bytes, self.folder) = (bytes, folder)
    }

    /// Nodes, tensors, names and attributes together: an empty one takes two bytes of a file and a hundred of memory.
    private static let mostItems = 1 << 18
    /// Of an attribute or a tensor's dimensions.
    private static let longestList = 1 << 14

    private mutating func count() throws {
        items += 1
        guard items <= Self.mostItems else {
            throw DaflError(.unsupported, "has more than \(Self.mostItems) nodes, tensors and names")
        }
    }

    private func damaged(_ what: String) -> DaflError {
        DaflError(.format, "is no ONNX file, or damaged: \(what)")
    }

    private mutating func text(_ field: ProtobufReader.Field) throws -> String {
        guard let range = field.slice else { throw damaged("field \(field.number) is no text") }
        try count()
        return bytes.text(range)
    }

    private func message(_ field: ProtobufReader.Field) throws -> ProtobufReader {
        guard let range = field.slice else { throw damaged("field \(field.number) is no message") }
        return ProtobufReader(bytes, range)
    }

    private func integer(_ field: ProtobufReader.Field) throws -> Int {
        guard let integer = field.integer else { throw damaged("field \(field.number) is no whole number") }
        return integer
    }

    /// Adds the numbers of a repeated field, packed or not.
    private func append(_ field: ProtobufReader.Field, to list: inout [Int]) throws {
        if let range = field.slice {
            var packed = ProtobufReader(bytes, range)
            while !packed.isAtEnd && list.count <= Self.longestList {
                list.append(Int(truncatingIfNeeded: Int64(bitPattern: try packed.varint())))
            }
        } else {
            list.append(try integer(field))
        }
        guard list.count <= Self.longestList else {
            throw DaflError(.unsupported, "has an attribute or a shape of more than \(Self.longestList) numbers")
        }
    }

    private func append(_ field: ProtobufReader.Field, to list: inout [Float]) throws {
        switch field.value {
        case .fixed32(let bits): list.append(Float(bitPattern: bits))
        case .slice(let range) where range.count % 4 == 0 && range.count <= 4 * Self.longestList:
            for start in stride(from: range.lowerBound, to: range.upperBound, by: 4) {
                list.append(Float(bitPattern: UInt32(truncatingIfNeeded: bytes.bits(start..<start + 4))))
            }
        default: throw damaged("field \(field.number) is no list of at most \(Self.longestList) floats")
        }
        guard list.count <= Self.longestList else {
            throw DaflError(.unsupported, "has an attribute of more than \(Self.longestList) numbers")
        }
    }

    mutating func model() throws -> ONNXModel {
        var model = ONNXModel()
        var reader = ProtobufReader(bytes)
        var graph: ProtobufReader?
        while let field = try reader.next() {
            switch field.number {
            case ONNXField.Model.graph:
                guard graph == nil else { throw damaged("there are two graphs") }
                graph = try message(field)
            case ONNXField.Model.opset:
                var (domain, version) = ("", 0)
                var opset = try message(field)
                while let field = try opset.next() {
                    switch field.number {
                    case ONNXField.Opset.domain: domain = try text(field)
                    case ONNXField.Opset.version: version = try integer(field)
                    default: break
                    }
                }
                model.opsets[Self.domain(domain)] = version
            case ONNXField.Model.producerName: model.isOwn = try text(field) == ONNXModel.ownProducer
            default: break
            }
        }
        guard let graph else { throw damaged("there is no graph") }
        try read(graph, into: &model)
        return model
    }

    /// ONNX's own domain has two names.
    private static func domain(_ name: String) -> String { name == "ai.onnx" ? "" : name }

    private mutating func read(_ graph: ProtobufReader, into model: inout ONNXModel) throws {
        var graph = graph
        var inputs: [ONNXInterface] = []
        while let field = try graph.next() {
            switch field.number {
            case ONNXField.Graph.node: model.nodes.append(try node(message(field)))
            case ONNXField.Graph.initializer:
                let (name, tensor) = try tensor(message(field))
                guard model.initializers.updateValue(tensor, forKey: name) == nil else {
                    throw damaged("there are two tensors \(quoted(name))")
                }
            case ONNXField.Graph.input: inputs.append(try interface(message(field)))
            case ONNXField.Graph.output: model.outputs.append(try interface(message(field)))
            case ONNXField.Graph.sparse:
                throw DaflError(.unsupported, "has sparse tensors, which are not read; export it with dense ones")
            default: break
            }
        }
        // Before IR version 4 every initializer had to be an input too.
        model.inputs = inputs.filter { model.initializers[$0.name] == nil }
    }

    private mutating func node(_ reader: ProtobufReader) throws -> ONNXNode {
        try count()
        var (reader, node) = (reader, ONNXNode())
        while let field = try reader.next() {
            switch field.number {
            case ONNXField.Node.input: node.inputs.append(try text(field))
            case ONNXField.Node.output: node.outputs.append(try text(field))
            case ONNXField.Node.name: node.name = try text(field)
            case ONNXField.Node.operation: node.operation = try text(field)
            case ONNXField.Node.attribute:
                let (name, attribute) = try attribute(message(field))
                guard node.attributes.updateValue(attribute, forKey: name) == nil else {
                    throw damaged("a node has two attributes \(quoted(name))")
                }
            case ONNXField.Node.domain: node.domain = Self.domain(try text(field))
            default: break
            }
        }
        return node
    }

    private mutating func attribute(_ reader: ProtobufReader) throws -> (String, ONNXAttribute) {
        try count()
        var (reader, name, type) = (reader, "", 0)
        var (float, whole, string): (Float?, Int?, String?)
        var tensor: ONNXTensor?
        var (floats, integers, texts): ([Float], [Int], [String]) = ([], [], [])
        while let field = try reader.next() {
            switch field.number {
            case ONNXField.Attribute.name: name = try text(field)
            case ONNXField.Attribute.float:
                guard case .fixed32(let bits) = field.value else { throw damaged("field 2 of an attribute is no float") }
                float = Float(bitPattern: bits)
            case ONNXField.Attribute.integer: whole = try integer(field)
            case ONNXField.Attribute.text: string = try text(field)
            case ONNXField.Attribute.tensor: tensor = try self.tensor(message(field)).tensor
            case ONNXField.Attribute.floats: try append(field, to: &floats)
            case ONNXField.Attribute.integers: try append(field, to: &integers)
            case ONNXField.Attribute.texts: texts.append(try text(field))
            case ONNXField.Attribute.type: type = try integer(field)
            default: break
            }
        }
        // Old files do not tell the type, and writers in proto3 leave out zeros.
        switch ONNXField.AttributeType(rawValue: type) {
        case .float: return (name, .float(float ?? 0))
        case .integer: return (name, .integer(whole ?? 0))
        case .text: return (name, .text(string ?? ""))
        case .tensor: return (name, tensor.map { .tensor($0) } ?? .other)
        case .floats: return (name, .floats(floats))
        case .integers: return (name, .integers(integers))
        case .texts: return (name, .texts(texts))
        case nil where type == 0: break
        case nil: return (name, .other)
        }
        if let float { return (name, .float(float)) }
        if let whole { return (name, .integer(whole)) }
        if let string { return (name, .text(string)) }
        if let tensor { return (name, .tensor(tensor)) }
        if !floats.isEmpty { return (name, .floats(floats)) }
        if !integers.isEmpty { return (name, .integers(integers)) }
        return (name, texts.isEmpty ? .other : .texts(texts))
    }

    private mutating func tensor(_ reader: ProtobufReader) throws -> (name: String, tensor: ONNXTensor) {
        try count()
        var (reader, name, type, isExternal) = (reader, "", 0, false)
        var dimensions: [Int] = []
        var pieces: [ONNXTensor.Piece] = []
        var external: [String: String] = [:]
        while let field = try reader.next() {
            switch field.number {
            case ONNXField.Tensor.dimension: try append(field, to: &dimensions)
            case ONNXField.Tensor.type: type = try integer(field)
            case ONNXField.Tensor.name: name = try text(field)
            case _ where ONNXField.Tensor.numbers.contains(field.number):
                try count()
                pieces.append(ONNXTensor.Piece(field: field.number, value: field.value))
            case ONNXField.Tensor.external:
                var (key, value) = ("", "")
                var entry = try message(field)
                while let field = try entry.next() {
                    switch field.number {
                    case ONNXField.Entry.key: key = try text(field)
                    case ONNXField.Entry.value: value = try text(field)
                    default: break
                    }
                }
                external[key] = value
            case ONNXField.Tensor.location: isExternal = try integer(field) == 1
            default: break
            }
        }
        let file = isExternal ? ONNXTensor.File(entries: external, folder: folder) : nil
        return (name, try ONNXTensor(name, dimensions, type: type, bytes, pieces, file))
    }

    private mutating func interface(_ reader: ProtobufReader) throws -> ONNXInterface {
        try count()
        var (reader, interface) = (reader, ONNXInterface())
        while let field = try reader.next() {
            switch field.number {
            case ONNXField.Interface.name: interface.name = try text(field)
            case ONNXField.Interface.type:
                var type = try message(field)
                while let field = try type.next() {
                    guard field.number == ONNXField.ValueType.tensor else { continue }
                    var tensor = try message(field)
                    while let field = try tensor.next() {
                        switch field.number {
                        case ONNXField.TensorType.element: interface.type = try integer(field)
                        case ONNXField.TensorType.shape: interface.dimensions = try shape(message(field))
                        default: break
                        }
                    }
                }
            default: break
            }
        }
        return interface
    }

    private mutating func shape(_ reader: ProtobufReader) throws -> [Int?] {
        var (reader, dimensions): (ProtobufReader, [Int?]) = (reader, [])
        while let field = try reader.next() {
            guard field.number == ONNXField.Shape.dimension else { continue }
            try count()
            var (size, dimension): (Int?, ProtobufReader) = (nil, try message(field))
            while let field = try dimension.next() {
                if field.number == ONNXField.Dimension.size { size = try integer(field) }
            }
            // Some writers say -1 or 0 for what is free.
            dimensions.append(size.flatMap { $0 > 0 ? $0 : nil })
        }
        return dimensions
    }
}
