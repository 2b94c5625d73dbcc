import Numerics

/// A node of a graph as a layer is made of it: its attributes, checked as they are read, and the shapes of its inputs.
///
/// A kind's attributes, their ranges and their defaults have no other home than the reading.
package final class Blueprint {
    package let node: Graph.Node
    /// At least one of a layer that is made with `soleInput`.
    package let inputs: [Shape]
    private let path: String
    /// Of the shared weights: the layer of an earlier node.
    private let owner: (any Layer)?
    private var unread: Set<String>
    /// What was read, with the defaults of what was left out: extents as two numbers, borders as four.
    private(set) var settings: [String: Attribute] = [:]

    /// - Parameter layer: of an earlier node, by its name.
    init(_ node: Graph.Node, at place: Int, inputs: [Shape], layer: (String) -> (any Layer)?) {
        (self.node, self.inputs) = (node, inputs)
        owner = if case .text(let name) = node.attributes[Self.sharingKey] { layer(name) } else { nil }
        path = "nodes[\(place)]"
        unread = Set(node.attributes.keys)
    }

    package var name: String { node.name }

    /// What is wrong with the node as a whole.
    package func invalid(_ what: String, _ value: some CustomStringConvertible, _ allowed: String) -> DaflError {
        DaflError.invalid("\(path), \(what) of \(node.kind.rawValue) \"\(name)\",", value, allowed)
    }

    private func invalid(_ key: String, _ value: Attribute, _ allowed: String) -> DaflError {
        DaflError.invalid("\(path).\(key) of \(node.kind.rawValue) \"\(name)\"", value, allowed)
    }

    private func missing(_ key: String) -> DaflError {
        DaflError(.invalidArgument, "\(path) lacks \(key), which \(node.kind.rawValue) \"\(name)\" needs")
    }

    /// Puts the node's place in the graph before the sentence of an error that does not begin with it: layers do not know it.
    func naming<Result>(_ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch let error as DaflError where error.status == .invalidArgument && !error.description.hasPrefix(path) {
            throw DaflError(error.status, "\(path) of \(node.kind.rawValue) \"\(name)\": \(error.description)")
        }
    }

    /// The shape of its only input.
    package func soleInput() throws -> Shape {
        guard inputs.count == 1, let input = inputs.first else {
            throw invalid("the number of inputs", inputs.count, "1")
        }
        return input
    }

    private func value(_ key: String) -> Attribute? {
        unread.remove(key)
        return node.attributes[key]
    }

    private func settle<Value>(_ key: String, _ value: Value, as attribute: Attribute) -> Value {
        settings[key] = attribute
        return value
    }

    /// A whole number. `initial` is the default; nil for none.
    package func whole(_ key: String, _ range: ClosedRange<Int>, or initial: Int? = nil) throws -> Int {
        guard let value = value(key) else {
            guard let initial else { throw missing(key) }
            return settle(key, initial, as: .integer(initial))
        }
        guard case .integer(let whole) = value, range.contains(whole) else {
            throw invalid(key, value, "from \(range.lowerBound) to \(range.upperBound)")
        }
        return settle(key, whole, as: value)
    }

    /// One whole number for both directions, or [vertical, horizontal].
    package func extent(_ key: String, _ range: ClosedRange<Int>, or initial: Extent? = nil) throws -> Extent {
        let extent: Extent
        switch value(key) {
        case nil:
            guard let initial else { throw missing(key) }
            extent = initial
        case .integer(let both) where range.contains(both): extent = Extent(y: both, x: both)
        case .integers(let pair) where pair.count == 2 && pair.allSatisfy(range.contains):
            extent = Extent(y: pair[0], x: pair[1])
        case let value?:
            throw invalid(key, value, "from \(range.lowerBound) to \(range.upperBound), or two such [vertical, horizontal]")
        }
        return settle(key, extent, as: .integers([extent.y, extent.x]))
    }

    /// Pixels around an image: one number for all sides, [vertical, horizontal], or [top, left, bottom, right]. Default: 0.
    package func border(_ key: String) throws -> Border {
        let value = value(key) ?? 0
        let sides: [Int] =
            switch value {
            case .integer(let all): [all, all, all, all]
            case .integers(let pair) where pair.count == 2: pair + pair
            case .integers(let sides) where sides.count == 4: sides
            default: [-1]
            }
        guard sides.allSatisfy((0...Blueprint.limit).contains) else {
            throw invalid(
                key, value, "from 0 to \(Blueprint.limit), or [vertical, horizontal] or [top, left, bottom, right] of such")
        }
        return settle(
            key, Border(top: sides[0], left: sides[1], bottom: sides[2], right: sides[3]), as: .integers(sides))
    }

    package func number(_ key: String, _ range: ClosedRange<Double>, or initial: Double? = nil) throws -> Float {
        guard let value = value(key) else {
            guard let initial else { throw missing(key) }
            return settle(key, Float(initial), as: .number(initial))
        }
        let number: Double? =
            switch value {
            case .integer(let whole): Double(whole)
            case .number(let number): number
            default: nil
            }
        guard let number, range.contains(number) else {
            throw invalid(key, value, "from \(range.lowerBound) to \(range.upperBound)")
        }
        return settle(key, Float(number), as: .number(number))
    }

    package func flag(_ key: String, or initial: Bool) throws -> Bool {
        let value = value(key) ?? .flag(initial)
        guard case .flag(let flag) = value else { throw invalid(key, value, "true or false") }
        return settle(key, flag, as: value)
    }

    package func choice<Choice: RawRepresentable & CaseIterable>(_ key: String, or initial: Choice) throws -> Choice
    where Choice.RawValue == String {
        let value = value(key) ?? .text(initial.rawValue)
        guard case .text(let text) = value, let choice = Choice(rawValue: text) else {
            throw invalid(key, value, Choice.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ", "))
        }
        return settle(key, choice, as: value)
    }

    /// A list of whole numbers of the range.
    package func list(_ key: String, _ range: ClosedRange<Int>, or initial: [Int]) throws -> [Int] {
        let value = value(key) ?? .integers(initial)
        let list: [Int]? =
            switch value {
            case .integer(let one): [one]
            case .integers(let all): all
            default: nil
            }
        guard let list, list.allSatisfy(range.contains) else {
            throw invalid(key, value, "a list of whole numbers from \(range.lowerBound) to \(range.upperBound)")
        }
        return settle(key, list, as: .integers(list))
    }

    /// A weight of the layer, or the same one of the node that this one shares its weights with.
    package func parameter(
        _ suffix: String, _ shape: [Int], isTrained: Bool = true, allowed: Parameter.Allowed = .finite,
        initial: Parameter.Initial
    ) throws -> Parameter {
        guard let sharing = value(Self.sharingKey) else {
            return try Parameter(
                name: "\(name).\(suffix)", shape: shape, isTrained: isTrained, allowed: allowed, initial: initial)
        }
        guard let parameter = owner?.parameters.first(where: { $0.name.hasSuffix(".\(suffix)") }),
            parameter.value.shape.dimensions == shape
        else {
            throw invalid(Self.sharingKey, sharing, "an earlier node with a \(suffix) of shape \(shape)")
        }
        return parameter
    }

    private static let sharingKey = "weights_of"

    /// After the layer is made.
    /// - Throws: `invalidArgument` for an attribute that nobody read.
    func finish() throws {
        guard let key = unread.min() else { return }
        throw DaflError(.invalidArgument, "\(path).\(key) is no attribute of \(node.kind.rawValue) \"\(name)\"")
    }

    /// Largest number of anything that an attribute may ask for.
    static let limit = 1 << 20
}

/// A size or a distance in both directions of an image.
package struct Extent: Equatable {
    package let y: Int
    package let x: Int

    static let one = Extent(y: 1, x: 1)

    func isBoth(_ size: Int) -> Bool { y == size && x == size }
}

/// Pixels on each side of an image.
package struct Border: Equatable {
    package let top: Int
    package let left: Int
    package let bottom: Int
    package let right: Int

    static let none = Border(top: 0, left: 0, bottom: 0, right: 0)

    var vertical: Int { top + bottom }
    var horizontal: Int { left + right }
    func isAll(_ size: Int) -> Bool { [top, left, bottom, right].allSatisfy { $0 == size } }
}

extension Border: CustomStringConvertible {
    /// As in a graph's description.
    package var description: String { "\([top, left, bottom, right])" }
}
