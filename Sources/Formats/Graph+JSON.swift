import Networks
import Numerics

/// Graphs as JSON, the form in which people write them and files carry them; docs/networks.md describes it.
///
///     {"name": "small", "input": [1, 28, 28], "feature": "flat", "nodes": [
///       {"kind": "convolution", "name": "conv1", "outputs": 8, "kernel": 3, "stride": 2},
///       {"kind": "relu"},
///       {"kind": "flatten", "name": "flat"},
///       {"kind": "linear", "name": "fc", "outputs": 10}]}
///
/// A node's attributes stand beside its kind and its name. One without a name gets one of its kind and place, and one without
/// inputs reads the node before it.
extension Graph {
    /// Object, list of nodes, node, list. jansson would allow 2048 levels, which overflow the stack of a small thread.
    private static let deepest = 4
    /// Bytes: hundreds of times what a network of today needs.
    private static let longest = 1 << 24
    /// Of its values in memory, likewise.
    private static let largest = 1 << 26

    /// - Throws: `invalidArgument` with the place in the document, `outOfMemory`.
    package init(json text: String) throws {
        var text = text
        self = try text.withUTF8 { try Graph(json: UnsafeRawBufferPointer($0)) }
    }

    init(json bytes: UnsafeRawBufferPointer) throws {
        let demand = UnsafeJSON.demand(of: bytes)
        guard bytes.count <= Self.longest, demand.nesting <= Self.deepest, demand.memory <= Self.largest else {
            throw DaflError(.invalidArgument, "the description of a network is longer, or nested deeper, than any needs")
        }
        let document = try UnsafeJSON(parsing: bytes, of: "the description of a network", or: .invalidArgument)
        var members = try Members(document, at: "the description")
        guard let shape = try members.take("input")?.elements?.map({ try $0.whole(at: "input") }) else {
            throw DaflError(.invalidArgument, "the description of a network lacks its input, a list such as [3, 32, 32]")
        }
        self.init(try members.take("name")?.text(at: "name") ?? "network", input: shape)
        guard let nodes = members.take("nodes")?.elements else {
            throw DaflError(.invalidArgument, "the description of a network lacks its list of nodes")
        }
        for (place, node) in nodes.enumerated() { try add(node, at: "nodes[\(place)]") }
        output = try members.take("output")?.text(at: "output")
        feature = try members.take("feature")?.text(at: "feature")
        interface = try members.take("interface").map { try Interface(json: $0) } ?? Interface()
        try members.finish()
    }

    private mutating func add(_ value: UnsafeJSON, at path: String) throws {
        var members = try Members(value, at: path)
        let text = try members.take("kind")?.text(at: "\(path).kind") ?? ""
        guard let kind = LayerKind(rawValue: text) else {
            throw DaflError.invalid(
                "\(path).kind", quoted(text), "one of \(LayerKind.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        let inputs = try members.take("inputs").map { list in
            guard let names = list.elements else { throw DaflError(.invalidArgument, "\(path).inputs is not a list of names") }
            return try names.enumerated().map { try $1.text(at: "\(path).inputs[\($0)]") }
        }
        let name = try members.take("name")?.text(at: "\(path).name")
        let attributes = try members.rest { try Attribute(json: $1, at: "\(path).\($0)") }
        if let name { add(kind, name, inputs: inputs, attributes) } else { add(kind, inputs: inputs, attributes) }
    }

    /// The same graph makes the same text, of one line.
    package var json: String {
        var before = Graph.input
        let nodes = nodes.map { node in
            var members = ["\"kind\":\(jsonString(node.kind.rawValue))", "\"name\":\(jsonString(node.name))"]
            if node.inputs != [before] {
                members.append("\"inputs\":[\(node.inputs.map(jsonString).joined(separator: ","))]")
            }
            members += node.attributes.sorted { $0.key < $1.key }.map { "\(jsonString($0.key)):\($0.value.json)" }
            before = node.name
            return "{\(members.joined(separator: ","))}"
        }
        var members = [
            "\"name\":\(jsonString(name))", "\"input\":[\(inputShape.map(String.init).joined(separator: ","))]",
            "\"nodes\":[\(nodes.joined(separator: ","))]",
        ]
        if let output { members.append("\"output\":\(jsonString(output))") }
        if let feature { members.append("\"feature\":\(jsonString(feature))") }
        if interface != Interface() { members.append("\"interface\":\(interface.json)") }
        return "{\(members.joined(separator: ","))}"
    }
}

extension Graph.Interface {
    fileprivate init(json value: UnsafeJSON) throws {
        self.init()
        var members = try Members(value, at: "interface")
        inputName = try members.take("input_name")?.text(at: "interface.input_name") ?? inputName
        outputName = try members.take("output_name")?.text(at: "interface.output_name") ?? outputName
        if let value = members.take("channels_last") {
            guard let flag = value.flag else { throw DaflError(.invalidArgument, "interface.channels_last is neither true nor false") }
            isChannelsLast = flag
        }
        if let text = try members.take("head")?.text(at: "interface.head") {
            guard let head = Head(rawValue: text) else {
                throw DaflError.invalid(
                    "interface.head", quoted(text), "one of \(Head.allCases.map(\.rawValue).joined(separator: ", "))")
            }
            self.head = head
        }
        try members.finish()
    }

    fileprivate var json: String {
        "{\"input_name\":\(jsonString(inputName)),\"output_name\":\(jsonString(outputName)),"
            + "\"channels_last\":\(isChannelsLast),\"head\":\(jsonString(head.rawValue))}"
    }
}

extension Attribute {
    fileprivate init(json value: UnsafeJSON, at path: String) throws {
        if let whole = value.integer {
            self = .integer(whole)
        } else if let number = value.number {
            self = .number(number)
        } else if let flag = value.flag {
            self = .flag(flag)
        } else if let text = value.string {
            self = .text(text)
        } else if let elements = value.elements {
            self = .integers(try elements.enumerated().map { try $1.whole(at: "\(path)[\($0)]") })
        } else {
            throw DaflError(.invalidArgument, "\(path) is neither a number, true, false, a text nor a list of whole numbers")
        }
    }

    fileprivate var json: String {
        switch self {
        case .text(let text): jsonString(text)
        case .integers(let list): "[\(list.map(String.init).joined(separator: ","))]"
        case .integer, .number, .flag: description
        }
    }
}

/// The members of an object, each of which is to be taken.
private struct Members {
    private var members: [String: UnsafeJSON] = [:]
    private let path: String

    init(_ value: UnsafeJSON, at path: String) throws {
        guard let members = value.members else { throw DaflError(.invalidArgument, "\(path) is not a JSON object") }
        self.path = path
        // Keys that JSON tells apart can be one String: é has two spellings.
        for (name, value) in members where self.members.updateValue(value, forKey: name) != nil {
            throw DaflError(.invalidArgument, "\(path) has \(quoted(name)) twice")
        }
    }

    mutating func take(_ name: String) -> UnsafeJSON? { members.removeValue(forKey: name) }

    mutating func rest<Value>(_ body: (String, UnsafeJSON) throws -> Value) rethrows -> [String: Value] {
        defer { members = [:] }
        return Dictionary(uniqueKeysWithValues: try members.sorted { $0.key < $1.key }.map { ($0, try body($0, $1)) })
    }

    func finish() throws {
        guard let name = members.keys.min() else { return }
        throw DaflError(.invalidArgument, "\(path) has an unknown member \(quoted(name))")
    }
}

extension UnsafeJSON {
    fileprivate func text(at path: String) throws -> String {
        guard let string else { throw DaflError(.invalidArgument, "\(path) is not a text") }
        return string
    }

    fileprivate func whole(at path: String) throws -> Int {
        guard let integer else { throw DaflError(.invalidArgument, "\(path) is not a whole number") }
        return integer
    }
}
