import CDafl
import Numerics

/// Runs a fallible function of the boundary: the one place where an error becomes a status and its text.
func answering(_ body: () throws -> Void) -> dafl_status {
    LastError.clear()
    do {
        try FloatingPoint.ofTheLibrary(body)
        LastError.clear()  // of what a callback's own calls left there
        return dafl_status(DAFL_OK)
    } catch let error as DaflError {
        LastError.set(error.description)
        return error.status.rawValue
    } catch let stop as CallbackStop {
        LastError.set("the \(stop.callback) callback returned \(stop.code)")
        return stop.code
    } catch {
        LastError.set("\(error)")
        return dafl_status(DAFL_ERROR_INVALID_ARGUMENT)
    }
}

/// The argument, unless it is NULL.
func require<Argument>(_ argument: Argument?, _ name: String) throws -> Argument {
    guard let argument else { throw DaflError.invalid(name, "NULL", "a valid pointer") }
    return argument
}

/// The text of a C string; bytes that are no UTF-8 are replaced.
func requireText(_ text: UnsafePointer<CChar>?, _ name: String) throws -> String {
    String(cString: try require(text, name))
}

/// The path of a file. Bytes that are no UTF-8 would not be the same file's name afterwards, so they are refused.
func requirePath(_ path: UnsafePointer<CChar>?, _ name: String) throws -> String {
    guard let path = String(validatingCString: try require(path, name)) else {
        throw DaflError.invalid(name, "\"\(try requireText(path, name))\"", "UTF-8")
    }
    return path
}

/// A whole number of the caller's within a range.
func requireWhole(_ number: Int64, _ name: String, _ range: ClosedRange<Int>) throws -> Int {
    guard let number = Int(exactly: number), range.contains(number) else {
        throw DaflError.invalid(name, number, "from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
}

/// A number of rows whose floats an address space can hold.
func requireRows(_ count: Int64, of elements: Int) throws -> Int {
    try requireWhole(count, "count", 1...Int.max / MemoryLayout<Float>.stride / max(elements, 1))
}
