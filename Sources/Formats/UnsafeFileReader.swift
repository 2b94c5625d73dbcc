import Glibc
import Numerics

#if _endian(big)
#error("safetensors files are little-endian, and their numbers are read and written as they lie in memory")
#endif

/// A regular file, open for reading. It is read, not mapped: a mapped file that another process cuts kills this one.
final class UnsafeFileReader {
    /// Bytes, when the file was opened.
    let size: Int
    private let descriptor: Int32

    /// - Throws: `io` when the file cannot be opened or is a folder, a pipe or a device.
    init(path: String) throws {
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

    private static func size(of descriptor: Int32) throws -> Int {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw systemError("cannot be examined") }
        try requireRegularFile(status)
        return Int(status.st_size)
    }

    /// Calls `body` with `count` bytes from `offset` on, which are gone when it returns.
    /// - Throws: `io` when the file ends before, `outOfMemory`.
    func withBytes<Result>(
        at offset: Int, count: Int, _ body: (UnsafeRawBufferPointer) throws -> Result
    ) throws -> Result {
        guard let memory = malloc(max(count, 1)) else { throw DaflError(.outOfMemory, "no memory for \(count) bytes") }
        defer { free(memory) }
        let bytes = UnsafeMutableRawBufferPointer(start: memory, count: count)
        try read(into: bytes, at: offset)
        return try body(UnsafeRawBufferPointer(bytes))
    }

    /// Fills a tensor with the numbers from `offset` on.
    func read(_ type: NumberType, into tensor: Tensor, at offset: Int) throws {
        guard type != .f32 else {
            let numbers = UnsafeMutableBufferPointer(start: tensor.pointer, count: tensor.count)
            return try read(into: UnsafeMutableRawBufferPointer(numbers), at: offset)
        }
        // A part at a time, so that the tensor alone takes memory of the file's size.
        let part = 1 << 16
        for start in stride(from: 0, to: tensor.count, by: part) {
            let count = min(part, tensor.count - start)
            try withBytes(at: offset + start * type.bytes, count: count * type.bytes) {
                type.convert($0, to: tensor.pointer + start)
            }
        }
    }

    func read(into bytes: UnsafeMutableRawBufferPointer, at offset: Int) throws {
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
