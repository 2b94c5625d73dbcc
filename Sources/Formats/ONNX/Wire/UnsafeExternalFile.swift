import Glibc
import Numerics

extension ONNXTensor.File {
    /// The numbers' bytes, when they lie in the model's own folder: a file that names others of the system reads none of them.
    /// - Parameter size: how many there must be.
    /// - Throws: `format` when the place is none in the folder, or of another size; `io`, `outOfMemory`.
    func read(_ size: Int) throws -> UnsafeBytes {
        guard let folder else {
            throw DaflError(
                .unsupported, "is in a file of its own, which a model in memory does not have; load it by its path")
        }
        let location = entries["location"] ?? ""
        let parts = location.split(separator: "/", omittingEmptySubsequences: false)
        guard !location.utf8.contains(0), parts.allSatisfy({ !$0.isEmpty && $0 != ".." }) else {
            throw DaflError(.format, "lies in \(quoted(location)), which is no file in the model's folder")
        }
        let path = "\(folder)/\(location)"
        guard let resolved = Self.resolved(path), let root = Self.resolved(folder) else {
            throw systemError("lies in \(quoted(location)), which cannot be opened")
        }
        guard resolved.hasPrefix(root.hasSuffix("/") ? root : root + "/") else {
            throw DaflError(.format, "lies in \(quoted(location)), which is a link that leads out of the model's folder")
        }
        let file = try naming(quoted(location)) { try UnsafeFileReader(path: resolved) }
        guard let offset = Self.number(entries["offset"], or: 0), let length = Self.number(entries["length"], or: size),
            length == size, offset <= file.size, size <= file.size - offset
        else {
            throw DaflError(
                .format,
                "needs \(size) bytes, and its part of \(quoted(location)) is \(printable(entries["length"] ?? "all")) of "
                    + "\(file.size) from \(printable(entries["offset"] ?? "0"))")
        }
        return try UnsafeBytes(file, offset..<(offset + size))
    }

    private static func number(_ text: String?, or initial: Int) -> Int? {
        guard let text else { return initial }
        return Int(text).flatMap { $0 >= 0 ? $0 : nil }
    }

    /// Without links; nil when it does not exist.
    private static func resolved(_ path: String) -> String? {
        guard let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        return String(cString: resolved)
    }
}
