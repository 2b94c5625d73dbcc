/// What can go wrong, as the C boundary reports it. The raw values are those of `dafl_status` in dafl.h.
package enum Status: Int32, Sendable {
    case invalidArgument = -1
    case outOfMemory = -2
    case io = -3
    case format = -4
    case unsupported = -5
    case busy = -6
    case teacher = -7
    case diverged = -8
    case cancelled = -9
    case queriesSpent = -10
    case rank = -11
}

/// The library's one error type: a status for programs, and a sentence for people that names the argument, its value and
/// what is allowed.
package struct DaflError: Error, CustomStringConvertible, Sendable {
    package let status: Status
    package let description: String

    package init(_ status: Status, _ description: String) {
        self.status = status
        self.description = description
    }

    /// An argument outside what is allowed: "`name` is `value`; it must be `allowed`".
    package static func invalid(_ name: String, _ value: some CustomStringConvertible, _ allowed: String) -> DaflError {
        DaflError(.invalidArgument, "\(name) is \(value); it must be \(allowed)")
    }
}

/// A callback of the host returned a number other than 0. It travels up unchanged.
package struct CallbackStop: Error, Sendable {
    package let code: Int32
    package let callback: String

    package init(code: Int32, callback: String) {
        self.code = code
        self.callback = callback
    }
}
