import Glibc

/// The text of a small file, such as those by which Linux tells about itself; nil when it cannot be read.
func textFile(_ path: String) -> String? {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return nil }
    defer { close(file) }
    // Such a file is made when it is read, and does not know its size before.
    return withUnsafeTemporaryAllocation(byteCount: 1 << 14, alignment: 1) { buffer in
        var length = 0
        while length < buffer.count {
            let count = read(file, buffer.baseAddress?.advanced(by: length), buffer.count - length)
            guard count >= 0 else { return nil }
            guard count > 0 else { break }
            length += count
        }
        return String(decoding: buffer[..<length], as: UTF8.self)
    }
}
