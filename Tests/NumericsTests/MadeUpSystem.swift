import Glibc
import Testing

/// Calls `body` with the root of files of `proc` and `sys` as a system would show them.
///
/// - Parameter files: texts by path, such as "proc/meminfo".
func withMadeUpSystem<Result>(_ files: [String: String], _ body: (String) throws -> Result) throws -> Result {
    var template = Array("/tmp/made-up-system-XXXXXX".utf8CString)
    let root = String(cString: try #require(mkdtemp(&template)))
    var made = [root]
    defer { for path in made.reversed() { remove(path) } }
    for (path, text) in files {
        let folders = path.split(separator: "/").dropLast()
        for depth in 1...folders.count {
            let folder = "\(root)/\(folders.prefix(depth).joined(separator: "/"))"
            if mkdir(folder, 0o700) == 0 { made.append(folder) }
        }
        let file = try #require(fopen("\(root)/\(path)", "w"))
        fputs(text, file)
        fclose(file)
        made.append("\(root)/\(path)")
    }
    return try body(root)
}
