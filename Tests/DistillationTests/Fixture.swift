/// Files that are stored beside the tests.
enum Fixture {
    static func path(_ name: String, file: String = #filePath) -> String {
        let folder = file.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
        return "\(folder)/Fixtures/\(name)"
    }
}
