import Glibc
import Numerics

/// Writes a file that appears under its name whole or not at all: a temporary file in the same folder, which `commit` renames.
/// Without a commit the temporary file goes with the object, and what was under the name stays. Where the filesystem knows files
/// without a name, the temporary one has none until then: of a process that dies while it writes, nothing is left. What is left on
/// others, or of one that dies between naming and renaming, `removeAbandoned` finds by its lock, which ends with the process.
package final class UnsafeFileReplacement: ByteSink {
    private let target: String
    /// The temporary file's; nil while it has none.
    private var temporary: String?
    private let descriptor: Int32
    private var isCommitted = false
    private var written = 0

    /// - Throws: `io` when the folder is not there, no file can be made in it, or the target is there and is not a file
    ///   that may be written.
    package init(path: String) throws {
        // What a link points to is replaced, not the link; but one that points to nothing is.
        target = Self.destination(ofLink: path) ?? path
        let permissions = try Self.permissions(of: target)
        let nameless = Self.openNameless(beside: target)
        (descriptor, temporary) = nameless >= 0 ? (nameless, nil) : try Self.openTemporary(beside: target)
        // Filesystems without locks refuse this, and there nothing is found abandoned.
        flock(descriptor, LOCK_EX | LOCK_NB)
        // Filesystems without permissions refuse this, and a new file's are right without.
        if let permissions { fchmod(descriptor, permissions) }
    }

    deinit {
        close(descriptor)
        if !isCommitted, let temporary { unlink(temporary) }
    }

    package func write(_ bytes: UnsafeRawBufferPointer) throws {
        var done = 0
        while done < bytes.count {
            try requireRoom()
            let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
            let taken = retryingInterrupted { Glibc.write(descriptor, rest.baseAddress, rest.count) }
            guard taken >= 0 else { throw systemError("cannot be written") }
            done += taken
            written += taken
        }
    }

    /// To write beyond the limit that a process has for its files is a signal, which ends it.
    private func requireRoom() throws {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0, let most = Int(exactly: limit.rlim_cur),
            written >= most
        else { return }
        errno = EFBIG
        throw systemError("cannot be written")
    }

    /// Gives the file its name, after the disk has its bytes.
    package func commit() throws {
        guard retryingInterrupted({ fsync(descriptor) }) == 0 else { throw systemError("cannot be written") }
        let named = try temporary ?? nameTemporary()
        temporary = named
        guard rename(named, target) == 0 else { throw systemError("cannot be written") }
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

    private static let withoutName = 0x40_0000 | O_DIRECTORY  // O_TMPFILE
    private static let openFiles = "/proc/self/fd"

    /// Returns -1 where the filesystem has no such files, or they could not get a name later.
    private static func openNameless(beside path: String) -> Int32 {
        guard access(openFiles, X_OK) == 0 else { return -1 }
        return retryingInterrupted { open(folder(of: path), O_WRONLY | withoutName | O_CLOEXEC, 0o666) }
    }

    /// O_EXCL refuses a name in use, be it by a link, another thread, or a process that died.
    private static func openTemporary(beside path: String) throws -> (Int32, String) {
        try withFreeName(beside: path) { open($0, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666) }
    }

    private func nameTemporary() throws -> String {
        try Self.withFreeName(beside: target) {
            linkat(AT_FDCWD, "\(Self.openFiles)/\(descriptor)", AT_FDCWD, $0, AT_SYMLINK_FOLLOW)
        }.path
    }

    /// Calls `body` with one name after another, in the same folder, since only there renaming is one step, until one is free.
    private static func withFreeName(
        beside path: String, _ body: (String) -> Int32
    ) throws -> (result: Int32, path: String) {
        for attempt in 0..<10_000 {
            let name = "\(folder(of: path)).dafl-\(getpid())-\(attempt)"
            let result = retryingInterrupted { body(name) }
            if result >= 0 { return (result, name) }
            guard errno == EEXIST else { break }
        }
        throw systemError("cannot be written")
    }

    /// Removes the temporary files beside `path` that nobody is writing any more.
    package static func removeAbandoned(beside path: String) {
        let folder = folder(of: path)
        guard let listing = opendir(folder) else { return }
        defer { closedir(listing) }
        while let entry = readdir(listing) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: MemoryLayout.size(ofValue: entry.pointee.d_name)) {
                    String(cString: $0)
                }
            }
            if isTemporary(name) { removeUnlessLocked(folder + name) }
        }
    }

    private static func isTemporary(_ name: String) -> Bool {
        let parts = name.split(separator: "-", omittingEmptySubsequences: false)
        return parts.count == 3 && parts[0] == ".dafl" && parts[1...].allSatisfy { Int($0).map { $0 >= 0 } ?? false }
    }

    private static func removeUnlessLocked(_ path: String) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        var (opened, named) = (stat(), stat())
        // Whoever was writing it may have renamed it meanwhile, and the name be another's.
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0, fstat(descriptor, &opened) == 0, lstat(path, &named) == 0,
            opened.st_mode & S_IFMT == S_IFREG, (opened.st_dev, opened.st_ino) == (named.st_dev, named.st_ino)
        else { return }
        unlink(path)
    }

    /// With its slash; the current one where the path has none.
    private static func folder(of path: String) -> String {
        path.utf8.lastIndex(of: UInt8(ascii: "/")).map { String(path[...$0]) } ?? "./"
    }
}
