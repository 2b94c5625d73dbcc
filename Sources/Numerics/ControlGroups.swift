/// The control groups that Linux has put this process in, with which containers and services bound what it may use.
///
/// A group is a folder; what bounds a group bounds all groups in it, so all those on the way to the root count.
struct ControlGroups {
    /// Folders of version 2, the process's own group first.
    private let unified: [String]
    /// Folders of version 1, which has a hierarchy for each controller.
    private let separate: (String) -> [String]

    /// - Parameter root: where `proc` and `sys` are: "" for those of this machine.
    init(root: String) {
        // Lines are "hierarchy:controllers:path"; version 2 has neither number nor controllers.
        let lines = (textFile("\(root)/proc/self/cgroup") ?? "").split(separator: "\n").map {
            $0.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
        }.filter { $0.count == 3 }
        let mount = "\(root)/sys/fs/cgroup"
        // Beside version 1, version 2 is in a folder of its own.
        unified = lines.filter { $0[0] == "0" }.flatMap { line in
            [mount, "\(mount)/unified"].flatMap { Self.folders(from: line[2], upTo: $0) }
        }
        separate = { controller in
            lines.filter { $0[0] != "0" && $0[1].split(separator: ",").contains { $0 == controller } }
                .flatMap { Self.folders(from: $0[2], upTo: "\(mount)/\(controller)") }
        }
    }

    private static func folders(from path: Substring, upTo mount: String) -> [String] {
        // What lies outside of what the process sees is told as "..".
        let names = path.split(separator: "/").filter { $0 != ".." }
        return (0...names.count).reversed().map { ([Substring(mount)] + names.prefix($0)).joined(separator: "/") }
    }

    /// What `read` finds in the folders of version 2.
    func found<Value>(_ read: (String) -> Value?) -> [Value] { unified.compactMap(read) }

    /// The same for the folders of a controller of version 1.
    func found<Value>(_ controller: String, _ read: (String) -> Value?) -> [Value] { separate(controller).compactMap(read) }
}

/// The whole number that is all of a file; nil for anything else, such as "max".
func numberFile(_ path: String) -> Int? {
    textFile(path).flatMap { Int($0.filter { !$0.isWhitespace }) }
}

/// The number behind a name in a file of lines such as "MemAvailable:   23995600 kB" or "inactive_file 4096", in bytes.
func namedNumber(_ name: String, in path: String) -> Int? {
    for line in (textFile(path) ?? "").split(separator: "\n") {
        let words = line.split { $0 == " " || $0 == "\t" || $0 == ":" }
        guard words.count > 1, words[0] == name, let number = Int(words[1]) else { continue }
        return words.last == "kB" ? number.multipliedReportingOverflow(by: 1024).partialValue : number
    }
    return nil
}
