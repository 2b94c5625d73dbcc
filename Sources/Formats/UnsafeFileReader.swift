import Glibc
import Numerics

#if _endian(big)
#error("safetensors files are little-endian, and their numbers are read and written as they lie in memory")
#endif

/// A regular file, open for reading. It is read, not mapped: a mapped file that another process cuts kills this one.
package final class UnsafeFileReader: ByteSource {
    /// Bytes, when the file was opened.
    package let size: Int
    private let descriptor: Int32

    /// - Throws: `io` when the file cannot be opened or is a folder, a pipe or a device.
    package init(path: String) throws {
        // Without O_NONBLOCK, opening a pipe waits for someone to write to it.
        descriptor = retryingInterrupted { open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) }
        guard descriptor >= 0 else { throw systemError("cannot be opened") }
        do {
            size = try Self.size(of: descriptor)
        } catch {
            close(descriptor)
            throw error
        }
    }

    deinit { close(descriptor) }

    /// Whether there is something under a name, be it no file.
    package static func exists(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 || errno != ENOENT
    }

    private static func size(of descriptor: Int32) throws -> Int {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw systemError("cannot be examined") }
        try requireRegularFile(status)
        return Int(status.st_size)
    }

    package func read(into bytes: UnsafeMutableRawBufferPointer, at offset: Int) throws {
        var done = 0
        while done < bytes.count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: bytes[done...])
            let read = retryingInterrupted { pread(descriptor, rest.baseAddress, rest.count, offset + done) }
            guard read >= 0 else { throw systemError("cannot be read") }
            guard read > 0 else { throw DaflError(.io, "became shorter while it was read") }
            done += read
        }
    }
}

func requireRegularFile(_ status: stat) throws {
    switch status.st_mode & S_IFMT {
    case S_IFREG: return
    case S_IFDIR: throw DaflError(.io, "is a folder, not a file")
    default: throw DaflError(.io, "is a pipe, a socket or a device, not a regular file")
    }
}

/// What the failed system call says, as an error.
func systemError(_ sentence: String) -> DaflError {
    let code = errno
    return DaflError(.io, "\(sentence): \(strerror(code).map { String(cString: $0) } ?? "error \(code)")")
}

/// Calls again when a signal of the host's came between.
func retryingInterrupted<Result: SignedInteger>(_ call: () -> Result) -> Result {
    while true {
        let result = call()
        if result != -1 || errno != EINTR { return result }
    }
}
