import Numerics

/// The architectures by name. A string such as "lenet5(classes=26)" is a name and arguments that change its defaults;
/// it rebuilds the network, so it is what files carry.
package struct Architecture {
    let name: String
    private let arguments: [(name: String, value: String)]
    let text: String
    /// How many means and deviations its inputs, or a generator's outputs, have in units of their own: see
    /// `InputUnits`. Any architecture takes this argument; nil for standardised ones.
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
            guard parts.count == 2, Decimal.number(parts[1]) != nil else { throw malformed() }
            return (name: String(parts[0].drop { $0 == " " }), value: String(parts[1]))
        }
        guard Set(all.map(\.name)).count == all.count else { throw malformed() }
        arguments = all.filter { $0.name != Self.unitsName }
        guard let written = all.first(where: { $0.name == Self.unitsName })?.value else {
            units = nil
            return
        }
        guard let units = Int(written), units >= 1 else {
            throw DaflError.invalid("units of architecture \"\(text)\"", written, "at least 1")
        }
        self.units = units
    }

    /// Whether it is a generator, whose units are those of its outputs.
    var makesImages: Bool { name.hasPrefix("dafl-") }

    /// The text of an architecture with units.
    static func adding(units: Int, to text: String) -> String {
        let argument = "\(unitsName)=\(units))"
        guard text.hasSuffix(")") else { return "\(text)(\(argument)" }
        return text.dropLast() + (text.hasSuffix("()") ? "" : ",") + argument
    }

    /// An argument's value when it is a whole number, in range or not; nil when it is left out.
    subscript(name: String) -> Int? { arguments.first { $0.name == name }.flatMap { Int($0.value) } }

    /// An argument's name, default and range.
    typealias Argument = (name: String, initial: Int, range: ClosedRange<Int>)

    /// The arguments' values in the order of `allowed`.
    /// - Parameter fractions: names of further arguments, for `fraction`.
    func values(_ allowed: [Argument], fractions: [String] = []) throws -> [Int] {
        let names = allowed.map(\.name) + fractions
        for argument in arguments where !names.contains(argument.name) {
            throw DaflError.invalid(
                "architecture", "\"\(text)\"",
                names.isEmpty
                    ? "without arguments" : "with arguments from \(names.joined(separator: ", ")) only, not \(argument.name)")
        }
        return try allowed.map { name, initial, range in
            guard let written = arguments.first(where: { $0.name == name })?.value else { return initial }
            guard let value = Int(written), range.contains(value) else {
                throw invalid(name, written, "from \(range.lowerBound) to \(range.upperBound)")
            }
            return value
        }
    }

    /// An argument that need not be whole.
    func fraction(_ name: String, or initial: Double, _ range: ClosedRange<Double>) throws -> Double {
        guard let written = arguments.first(where: { $0.name == name })?.value else { return initial }
        guard let value = Decimal.number(written), range.contains(value) else {
            throw invalid(name, written, "from \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }

    func invalid(_ argument: String, _ value: some CustomStringConvertible, _ allowed: String) -> DaflError {
        DaflError.invalid("\(argument) of architecture \"\(text)\"", value, allowed)
    }

    /// The images that it takes and how many classes it tells apart.
    struct Task {
        let rows, columns, channels, classes: Int
        var input: [Int] { [channels, rows, columns] }
    }

    /// What every architecture for images takes: `rows` and `columns`, both `side` unless given; `channels`; `classes`;
    /// and the values of `others`.
    /// - Parameter least: the smallest side.
    func task(
        rows: Int = 32, columns: Int = 32, channels: Int = 3, classes: Int = 10, least: Int = 1, _ others: [Argument] = [],
        fractions: [String] = []
    ) throws -> (Task, others: [Int]) {
        let sides = least...4096
        let side = self["side"]
        let values = try values(
            [
                ("side", rows, sides), ("rows", side ?? rows, sides), ("columns", side ?? columns, sides),
                ("channels", channels, 1...Self.limit), ("classes", classes, 1...Self.limit),
            ] + others, fractions: fractions)
        return (Task(rows: values[1], columns: values[2], channels: values[3], classes: values[4]), Array(values.dropFirst(5)))
    }

    /// The numbers in a name such as "wrn-16-2" after "wrn-"; 0 for what is none.
    func numbers(after prefix: String) -> [Int] {
        name.dropFirst(prefix.count).split(separator: "-", omittingEmptySubsequences: false).map { Int($0) ?? 0 }
    }

    /// Largest number of anything that an architecture string may ask for.
    static let limit = 1 << 20
}

/// Numbers as people write them: "0.25" or "-3", without exponents.
enum Decimal {
    static func number(_ text: some StringProtocol) -> Double? {
        guard text.allSatisfy({ $0.isASCII && ($0.isNumber || $0 == "." || $0 == "-") }) else { return nil }
        return Double(text)
    }
}

extension Network {
    /// A network with weights drawn from the seed.
    /// - Parameter architecture: such as "lenet5" or "mlp-784-1200-1200-10"; docs/networks.md has all names and their arguments,
    ///   of which "units" is for all.
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
        guard let family = Family.all.first(where: { $0.has(architecture.name) }) else {
            throw DaflError.invalid(
                "architecture", "\"\(architecture.name)\"", Family.all.map(\.form).joined(separator: ", "))
        }
        let graph = try family.graph(architecture)
        let direction = architecture.makesImages ? UnitScaling.Direction.restoring : .standardising
        self = architecture.units.map { graph.adding(units: $0, direction) } ?? graph
    }
}

/// An architecture's name, or a prefix that numbers follow, and what makes its graph, between standardised inputs and
/// outputs.
private struct Family {
    let name: String
    /// What follows the name in messages: "<depth>-<width>".
    let numbers: String
    let graph: (Architecture) throws -> Graph

    private init(_ name: String, _ numbers: String = "", _ graph: @escaping (Architecture) throws -> Graph) {
        (self.name, self.numbers, self.graph) = (name, numbers, graph)
    }

    var form: String { name + numbers }

    func has(_ other: String) -> Bool { numbers.isEmpty ? other == name : other.hasPrefix(name) }

    static var all: [Family] {
        [
            Family("lenet5") { try .lenet5($0, widths: [6, 16, 120, 84]) },
            Family("lenet5-half") { try .lenet5($0, widths: [3, 8, 60, 42]) },
            Family("alexnet") { try .alexNet($0, divisor: 1) },
            Family("alexnet-half") { try .alexNet($0, divisor: 2) },
            Family("vgg11") { try .vgg($0, convolutions: [1, 1, 2, 2, 2]) },
            Family("vgg13") { try .vgg($0, convolutions: [2, 2, 2, 2, 2]) },
            Family("vgg16") { try .vgg($0, convolutions: [2, 2, 3, 3, 3]) },
            Family("vgg19") { try .vgg($0, convolutions: [2, 2, 4, 4, 4]) },
            Family("resnet8") { try .smallResNet($0, blocks: 1) },
            Family("resnet20") { try .smallResNet($0, blocks: 3) },
            Family("resnet32") { try .smallResNet($0, blocks: 5) },
            Family("resnet44") { try .smallResNet($0, blocks: 7) },
            Family("resnet56") { try .smallResNet($0, blocks: 9) },
            Family("resnet18") { try .resNet($0, .basic, blocks: [2, 2, 2, 2]) },
            Family("resnet34") { try .resNet($0, .basic, blocks: [3, 4, 6, 3]) },
            Family("resnet50") { try .resNet($0, .bottleneck, blocks: [3, 4, 6, 3]) },
            Family("wrn-", "<depth>-<width>", Graph.wideResNet),
            Family("mobilenet-v1", "", Graph.mobileNetV1),
            Family("mobilenet-v2", "", Graph.mobileNetV2),
            Family("dscnn", "", Graph.dscnn),
            Family("mlp-", "<inputs>-<hidden>-...-<classes>", Graph.multilayerPerceptron),
            Family("dafl-generator", "", Graph.daflGenerator),
            Family("dafl-vector-generator", "", Graph.daflVectorGenerator),
        ]
    }
}
