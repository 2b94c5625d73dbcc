import Numerics

/// One field of a struct of options, said once.
///
/// From a table of these, options are read from C, checked and filled with their defaults. The same rows, with the comments
/// above them, are what `scripts/generate-header` makes the C struct and the Python package's options from, so a row has to
/// stand on one line, and its range and values are literals. In C each field takes eight bytes, in the order of the rows.
package struct Option<Options> {
    package enum Value: Equatable {
        case whole(Int)
        case unsigned(UInt64)
        case real(Double)
        case text(String)

        /// As `reading` reads it.
        package var text: String {
            switch self {
            case .whole(let number): "\(number)"
            case .unsigned(let number): "\(number)"
            case .real(let number): "\(number)"
            case .text(let text): text
            }
        }

        /// A value of the same kind; nil for a text that is none.
        package func reading(_ text: String) -> Value? {
            switch self {
            case .whole: Int(text).map(Value.whole)
            case .unsigned: UInt64(text).map(Value.unsigned)
            case .real: Double(text).map(Value.real)
            case .text: .text(text)
            }
        }
    }

    package let name: String
    /// What it is to begin with: one value, or one for each preset; none for what only the host's language can hold.
    package let initial: [Value]
    /// nil for what only the host's language can hold, as pointers and functions.
    package let value: ((Options) -> Value)?
    private let assign: (inout Options, Value) throws -> Void
    private let check: (Options) throws -> Void

    /// - Throws: `invalidArgument` for a text that is not one of an option's choices.
    package func set(_ value: Value, in options: inout Options) throws { try assign(&options, value) }
    /// - Throws: `invalidArgument` when it is out of its range.
    package func requireInRange(_ options: Options) throws { try check(options) }

    /// A whole number.
    package static func whole(
        _ name: String, _ path: WritableKeyPath<Options, Int>, _ range: ClosedRange<Int>, _ initial: Int...
    ) -> Option {
        Option(
            name: name, initial: initial.map(Value.whole), value: { .whole($0[keyPath: path]) },
            assign: { if case .whole(let value) = $1 { $0[keyPath: path] = value } },
            check: { try require(name, $0[keyPath: path], range) })
    }

    /// A whole number of 64 bits without a sign.
    package static func unsigned(_ name: String, _ path: WritableKeyPath<Options, UInt64>, _ initial: UInt64...) -> Option {
        Option(
            name: name, initial: initial.map(Value.unsigned), value: { .unsigned($0[keyPath: path]) },
            assign: { if case .unsigned(let value) = $1 { $0[keyPath: path] = value } }, check: { _ in })
    }

    /// A number in float64.
    package static func real(
        _ name: String, _ path: WritableKeyPath<Options, Double>, _ range: ClosedRange<Double>, _ initial: Double...
    ) -> Option {
        Option(
            name: name, initial: initial.map(Value.real), value: { .real($0[keyPath: path]) },
            assign: { if case .real(let value) = $1 { $0[keyPath: path] = value } },
            check: { try require(name, $0[keyPath: path], range) })
    }

    /// Text that something else reads.
    package static func text(_ name: String, _ path: WritableKeyPath<Options, String>, _ initial: String...) -> Option {
        Option(
            name: name, initial: initial.map(Value.text), value: { .text($0[keyPath: path]) },
            assign: { if case .text(let value) = $1 { $0[keyPath: path] = value } }, check: { _ in })
    }

    /// The name of one of a few choices.
    package static func choice<Choice: RawRepresentable & CaseIterable>(
        _ name: String, _ path: WritableKeyPath<Options, Choice>, _ choices: Choice.Type, _ initial: Choice...
    ) -> Option where Choice.RawValue == String {
        Option(
            name: name, initial: initial.map { .text($0.rawValue) }, value: { .text($0[keyPath: path].rawValue) },
            assign: {
                if case .text(let text) = $1 { $0[keyPath: path] = try Self.choice(name, text) }
            }, check: { _ in })
    }

    /// What only the host's language can hold: a pointer, a function, and counts that go with them.
    /// - Parameter type: the field's in C.
    package static func host(_ name: String, _ type: String) -> Option {
        Option(name: name, initial: [], value: nil, assign: { _, _ in }, check: { _ in })
    }

    /// The case of a name among all that an enumeration has.
    package static func choice<Choice: RawRepresentable & CaseIterable>(
        _ name: String, _ text: String
    ) throws -> Choice where Choice.RawValue == String {
        guard let choice = Choice(rawValue: text) else {
            let names = Choice.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ", ")
            throw DaflError.invalid(name, "\"\(text)\"", "one of \(names)")
        }
        return choice
    }

    private static func require<Number: Comparable & CustomStringConvertible>(
        _ name: String, _ value: Number, _ range: ClosedRange<Number>
    ) throws {
        guard range.contains(value) else {
            throw DaflError.invalid(name, value, "from \(range.lowerBound) to \(range.upperBound)")
        }
    }
}

/// A struct of options that a table describes.
package protocol OptionTable {
    static var table: [Option<Self>] { get }
}

extension OptionTable {
    /// Fills in what options are to begin with.
    /// - Parameter preset: the place of one among an option's initial values; those that have one value have it for all presets.
    package mutating func reset(preset: Int = 0) {
        for option in Self.table where !option.initial.isEmpty {
            // A table's own values are none that could be refused.
            try? option.set(option.initial[min(preset, option.initial.count - 1)], in: &self)
        }
    }

    /// - Throws: `invalidArgument` for the first option outside its range.
    package func requireInRange() throws {
        for option in Self.table { try option.requireInRange(self) }
    }
}
