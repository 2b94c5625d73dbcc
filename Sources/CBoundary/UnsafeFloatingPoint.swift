import HostFloatingPoint

/// Whose floating-point mode a thread has. The threads of the library are started within its calls, and have its own.
enum FloatingPoint {
    /// Calls `body` in the default mode: what the host has set for its own work, such as flushing denormals, changes no bytes of
    /// the library's, and what the library raises is not told to the host.
    static func ofTheLibrary<Result>(_ body: () throws -> Result) rethrows -> Result {
        var host = host_floating_point()
        return try withUnsafeMutablePointer(to: &host) { host in
            host_floating_point_begin(host)
            defer { host_floating_point_end(host) }
            return try body()
        }
    }

    /// Calls a callback of the host, in the mode that the host had when it called the library.
    static func ofTheHost<Result>(_ callback: () throws -> Result) rethrows -> Result {
        host_floating_point_call()
        defer { host_floating_point_return() }
        return try callback()
    }
}
