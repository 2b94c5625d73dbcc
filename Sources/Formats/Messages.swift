import Numerics

/// Text from a file, fit for a message, a log and a terminal: ASCII that prints, at most 100 characters of it.
package func printable(_ text: String, _ limit: Int = 100) -> String {
    var result = ""
    for (position, scalar) in text.unicodeScalars.enumerated() {
        guard position < limit else { return result + "..." }
        if (0x20..<0x7F).contains(scalar.value) {
            result.unicodeScalars.append(scalar)
        } else {
            result += "\\u{\(String(scalar.value, radix: 16))}"
        }
    }
    return result
}

package func quoted(_ text: String) -> String { "\"\(printable(text))\"" }

/// Puts the file's path before the sentence of an error.
package func naming<Result>(_ path: String, _ body: () throws -> Result) throws -> Result {
    do {
        return try body()
    } catch let error as DaflError {
        throw DaflError(error.status, "\(path): \(error.description)")
    }
}
