import Glibc
import Numerics

/// Writes a file that appears under its name whole or not at all: a temporary file beside it, which `commit` renames.
/// Without a commit the temporary file goes with the object, and what was under the name stays.
final class UnsafeFileReplacement {
    private let target: String
    private let temporary: String
    private let descriptor: Int32
    private var isCommitted = false

    /// - Throws: `io` when the folder is not there, no file can be made in it, or the target is there and is not a file
    ///   that may be written.
    init(path: String) throws {
        // What a link points to is replaced, not the link.
        target = Self.destination(ofLink: path) ?? path
        let permissions = try Self.permissions(of: target)
        (descriptor, temporary) = try Self.openTemporary(beside: target)
        // Filesystems without permissions refuse this, and a new file's are right without.
        if let permissions { fchmod(descriptor, permissions) }
    }

    deinit {
        close(descriptor)
        if !isCommitted { unlink(temporary) }
    }

    func write(_ bytes: [UInt8]) throws {
        try bytes.withUnsafeBytes { try write($0) }
    }

    func write(_ tensor: Tensor) throws {
        try write(UnsafeRawBufferPointer(UnsafeBufferPointer(start: tensor.pointer, count: tensor.count)))
    }

    private func write(_ bytes: UnsafeRawBufferPointer) throws {
        var done = 0
        while done < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
            let written = retryingInterrupted { Glibc.write(descriptor, rest.baseAddress, rest.count) }
            guard written >= 0 else { throw systemError("cannot be written") }
            done += written
        }
    }

    /// Gives the file its name, after the disk has its bytes.
    func commit() throws {
        guard retryingInterrupted({ fsync(descriptor) }) == 0, rename(temporary, target) == 0 else {
            throw systemError("cannot be written")
        }
        isCommitted = true
    }

    private static func destination(ofLink path: String) -> String? {
        var status = stat()
        guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFLNK, let resolved = realpath(path, nil) else {
            return nil
        }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    /// Those of the file that is there; nil for none.
    private static func permissions(of path: String) throws -> mode_t? {
        var status = stat()
        guard stat(path, &status) == 0 else {
            guard errno == ENOENT else { throw systemError("cannot be written") }
            return nil
        }
        try requireRegularFile(status)
        // Renaming over it would not ask.
        guard faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0 else { throw systemError("cannot be written") }
        return status.st_mode & 0o777
    }

    /// In the same folder, since only there renaming is one step. O_EXCL refuses a name in use, be it by a link,
    /// another thread, or a process that died: the next one is tried.
    private static func openTemporary(beside path: String) throws -> (descriptor: Int32, path: String) {
        let folder = path.utf8.lastIndex(of: UInt8(ascii: "/")).map { String(path[...$0]) } ?? ""
        for attempt in 0..<10_000 {
            let temporary = "\(folder).dafl-\(getpid())-\(attempt)"
            let descriptor = retryingInterrupted {
                open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
            }
            if descriptor >= 0 { return (descriptor, temporary) }
            guard errno == EEXIST else { break }
        }
        throw systemError("cannot be written")
    }
}
