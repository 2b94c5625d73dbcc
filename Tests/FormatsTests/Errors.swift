import Numerics
import Testing

/// The work fails with one of the statuses, and a sentence that names the path.
func expectError(
    _ statuses: Status..., naming path: String = "", sourceLocation: SourceLocation = #_sourceLocation,
    _ body: () throws -> Void
) {
    do {
        try body()
        Issue.record("nothing was thrown", sourceLocation: sourceLocation)
    } catch let error as DaflError {
        #expect(statuses.contains(error.status), "\(error)", sourceLocation: sourceLocation)
        #expect(error.description.hasPrefix(path), sourceLocation: sourceLocation)
        #expect(error.description.utf8.allSatisfy { (0x20..<0x7F).contains($0) }, sourceLocation: sourceLocation)
        #expect(error.description.utf8.count < 700, sourceLocation: sourceLocation)
    } catch {
        Issue.record(error, sourceLocation: sourceLocation)
    }
}
