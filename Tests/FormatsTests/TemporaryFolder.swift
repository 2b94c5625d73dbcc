import Glibc

/// A folder for one test, which removes itself and what is in it.
final class TemporaryFolder {
    let path: String

    init() {
        var template = Array("/tmp/dafl-formats-XXXXXX".utf8CString)
        path = mkdtemp(&template).map { String(cString: $0) } ?? "/tmp/none"
    }

    deinit {
        for name in names { remove(self[name]) }
        rmdir(path)
    }

    subscript(name: String) -> String { "\(path)/\(name)" }

    /// All there is, hidden files too.
    var names: [String] {
        guard let folder = opendir(path) else { return [] }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// Writes a file and returns its path.
    @discardableResult
    func write(_ bytes: [UInt8], to name: String = "bad") -> String {
        if let file = fopen(self[name], "wb") {
            fwrite(bytes, 1, bytes.count, file)
            fclose(file)
        }
        return self[name]
    }

    func bytes(of name: String) -> [UInt8] {
        guard let file = fopen(self[name], "rb") else { return [] }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        while case let byte = getc(file), byte != EOF { bytes.append(UInt8(truncatingIfNeeded: byte)) }
        return bytes
    }

    func permissions(of name: String) -> mode_t {
        var status = stat()
        return stat(self[name], &status) == 0 ? status.st_mode & 0o777 : 0
    }
}

func littleEndian<Bits: FixedWidthInteger>(_ bits: Bits) -> [UInt8] {
    (0..<MemoryLayout<Bits>.size).map { UInt8(truncatingIfNeeded: bits >> (8 * $0)) }
}

/// A safetensors file with any header.
func fileBytes(_ header: String, data: [UInt8] = [], announcing length: UInt64? = nil) -> [UInt8] {
    let text = Array(header.utf8)
    let length = length ?? UInt64(text.count)
    return (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) } + text + data
}
