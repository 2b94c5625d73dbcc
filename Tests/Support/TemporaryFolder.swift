import Glibc

/// A folder for one test, which removes itself and what is in it.
package final class TemporaryFolder {
    package let path: String

    package init() {
        var template = Array("/tmp/dafl-formats-XXXXXX".utf8CString)
        path = mkdtemp(&template).map { String(cString: $0) } ?? "/tmp/none"
    }

    deinit {
        for name in names { remove(self[name]) }
        rmdir(path)
    }

    package subscript(name: String) -> String { "\(path)/\(name)" }

    /// All there is, hidden files too.
    package var names: [String] {
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
    package func write(_ bytes: [UInt8], to name: String = "bad") -> String {
        if let file = fopen(self[name], "wb") {
            fwrite(bytes, 1, bytes.count, file)
            fclose(file)
        }
        return self[name]
    }

    package func bytes(of name: String) -> [UInt8] {
        guard let file = fopen(self[name], "rb") else { return [] }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        while case let byte = getc(file), byte != EOF { bytes.append(UInt8(truncatingIfNeeded: byte)) }
        return bytes
    }

    package func permissions(of name: String) -> mode_t {
        var status = stat()
        return stat(self[name], &status) == 0 ? status.st_mode & 0o777 : 0
    }
}
