import Numerics

/// The architectures by name. A string such as "lenet5(classes=26)" is a name and arguments that change its defaults; it
/// rebuilds the network, so it is what files carry.
package struct Architecture {
    let name: String
    private let arguments: [(name: String, value: Int)]
    let text: String
    /// How many means and deviations its inputs, or a generator's outputs, have in units of their own: see `InputUnits`. Any
    /// architecture takes this argument; nil for standardised ones.
    let units: Int?
    private static let unitsName = "units"

    /// - Throws: `invalidArgument` when the string does not have the form `name` or `name(key=number,...)`.
    init(_ text: String) throws {
        self.text = text
        func malformed() -> DaflError {
            DaflError.invalid("architecture", "\"\(text)\"", "of the form name or name(key=number,other=number)")
        }
        guard let open = text.firstIndex(of: "(") else {
            (name, arguments, units) = (text, [], nil)
            return
        }
        guard text.last == ")" else { throw malformed() }
        name = String(text[..<open])
        let list = text[text.index(after: open)...].dropLast()
        let all = try list.split(separator: ",", omittingEmptySubsequences: false).map { item in
            let parts = item.split(separator: "=", omittingEmptySubsequences: false)
            guard parts.count == 2, parts[1].first != "+", let value = Int(parts[1]) else { throw malformed() }
            return (name: String(parts[0].drop { $0 == " " }), value: value)
        }
        guard Set(all.map(\.name)).count == all.count else { throw malformed() }
        arguments = all.filter { $0.name != Self.unitsName }
        units = all.first { $0.name == Self.unitsName }?.value
        if let units, units < 1 { throw DaflError.invalid("units of architecture \"\(text)\"", units, "at least 1") }
    }

    /// Whether it is a generator, whose units are those of its outputs.
    var makesImages: Bool { name.hasPrefix("dafl-") }

    /// The text of an architecture with units.
    static func adding(units: Int, to text: String) -> String {
        let argument = "\(unitsName)=\(units))"
        guard text.hasSuffix(")") else { return "\(text)(\(argument)" }
        return text.dropLast() + (text.hasSuffix("()") ? "" : ",") + argument
    }

    /// An argument's value as it is written, in range or not; nil when it is left out.
    subscript(name: String) -> Int? { arguments.first { $0.name == name }?.value }

    /// The arguments' values in the order of `allowed`, which gives each argument's name, default and range.
    func values(_ allowed: [(name: String, initial: Int, range: ClosedRange<Int>)]) throws -> [Int] {
        for argument in arguments where !allowed.contains(where: { $0.name == argument.name }) {
            let names = allowed.map(\.name).joined(separator: ", ")
            throw DaflError.invalid(
                "architecture", "\"\(text)\"",
                allowed.isEmpty ? "without arguments" : "with arguments from \(names) only, not \(argument.name)")
        }
        return try allowed.map { name, initial, range in
            let value = self[name] ?? initial
            guard range.contains(value) else {
                throw DaflError.invalid("\(name) of architecture \"\(text)\"", value, "from \(range.lowerBound) to \(range.upperBound)")
            }
            return value
        }
    }

    /// Largest number of anything that an architecture string may ask for.
    static let limit = 1 << 20
}

extension Network {
    /// A network with weights drawn from the seed.
    /// - Parameter architecture: "lenet5", "lenet5-half", "resnet18", "resnet34", "mlp-784-1200-1200-10" with any sizes,
    ///   "dafl-generator" or "dafl-vector-generator"; see `Architecture` for arguments, of which "units" is for all.
    /// - Throws: `invalidArgument` for an unknown or impossible architecture, `outOfMemory`.
    package convenience init(architecture text: String, seed: UInt64) throws {
        try self.init(architecture: text)
        var random = Philox(seed: seed, stream: .weights)
        initialise(&random)
    }

    /// A network whose weights are about to be set: those of linear and convolution layers are zero.
    /// - Throws: as with a seed.
    package convenience init(architecture text: String) throws {
        try self.init(Graph(architecture: text), architecture: text)
    }
}

extension Graph {
    /// The graph that a string names.
    /// - Throws: `invalidArgument` for an unknown or impossible architecture.
    package init(architecture text: String) throws {
        let architecture = try Architecture(text)
        let graph = try Graph.standard(architecture)
        let direction = architecture.makesImages ? UnitScaling.Direction.restoring : .standardising
        self = architecture.units.map { graph.adding(units: $0, direction) } ?? graph
    }

    /// Between standardised inputs and outputs.
    private static func standard(_ architecture: Architecture) throws -> Graph {
        switch architecture.name {
        case "lenet5": return try lenet5(architecture, divisor: 1)
        case "lenet5-half": return try lenet5(architecture, divisor: 2)
        case "resnet18": return try resNet(architecture, blocks: [2, 2, 2, 2])
        case "resnet34": return try resNet(architecture, blocks: [3, 4, 6, 3])
        case "dafl-generator": return try daflGenerator(architecture)
        case "dafl-vector-generator": return try daflVectorGenerator(architecture)
        case let name where name.hasPrefix("mlp-"): return try multilayerPerceptron(architecture)
        default:
            throw DaflError.invalid(
                "architecture", "\"\(architecture.name)\"",
                "lenet5, lenet5-half, resnet18, resnet34, mlp-<inputs>-<hidden>-...-<classes>, dafl-generator or "
                    + "dafl-vector-generator")
        }
    }
}
