import CJansson
import Numerics

/// A value of a JSON text that jansson has parsed. The whole text stays in memory as long as one of its values.
///
/// Parsing refuses what is ambiguous or too large to be exact: names that occur twice, invalid UTF-8, NUL characters,
/// integers beyond Int64.
struct UnsafeJSON {
    private final class Text {
        let root: UnsafeMutablePointer<json_t>
        init(_ root: UnsafeMutablePointer<json_t>) { self.root = root }
        deinit { json_decref(root) }
    }

    private let text: Text
    private let value: UnsafeMutablePointer<json_t>

    private init(_ text: Text, _ value: UnsafeMutablePointer<json_t>) {
        (self.text, self.value) = (text, value)
    }

    /// jansson parses, and frees, with one call for each level of nesting: whoever passes bytes bounds it, see
    /// `demand(of:)`.
    /// - Parameter text: what the bytes are, for messages.
    /// - Throws: an error of the status when the bytes are no JSON object or array, `outOfMemory`.
    init(parsing bytes: UnsafeRawBufferPointer, of text: String, or status: Status) throws {
        // jansson passes over one that follows a number.
        guard !bytes.contains(0) else { throw DaflError(status, "\(text) is not valid JSON: it has a byte that is 0") }
        var error = json_error_t()
        let characters = bytes.bindMemory(to: CChar.self).baseAddress
        guard let root = json_loadb(characters, bytes.count, Int(JSON_REJECT_DUPLICATES), &error) else {
            let (message, code) = withUnsafeBytes(of: error.text) { text in
                (String(decoding: text.prefix { $0 != 0 }, as: UTF8.self), text.last)
            }
            guard code != UInt8(json_error_out_of_memory.rawValue) else {
                throw DaflError(.outOfMemory, "no memory for \(text), \(bytes.count) bytes")
            }
            throw DaflError(status, "\(text) is not valid JSON: \(printable(message)), in line \(error.line)")
        }
        self.init(Text(root), root)
    }

    /// What a text, which may be anything, asks of who parses it.
    struct Demand {
        /// Brackets that are open at once.
        fileprivate(set) var nesting = 0
        /// Bytes that its values come to take, about: an object that is two bytes of the text is hundreds in memory.
        fileprivate(set) var memory = 0
    }

    static func demand(of bytes: UnsafeRawBufferPointer) -> Demand {
        var (demand, depth, isInString, isEscaped) = (Demand(), 0, false, false)
        for byte in bytes {
            if isInString {
                isInString = isEscaped || byte != UInt8(ascii: "\"")
                isEscaped = !isEscaped && byte == UInt8(ascii: "\\")
                continue
            }
            switch byte {
            case UInt8(ascii: "\""): isInString = true
            case UInt8(ascii: "{"): (depth, demand.memory) = (depth + 1, demand.memory + 400)
            case UInt8(ascii: "["): (depth, demand.memory) = (depth + 1, demand.memory + 128)
            case UInt8(ascii: ":"): demand.memory += 128
            case UInt8(ascii: ","): demand.memory += 80
            case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
            default: break
            }
            demand.nesting = max(demand.nesting, depth)
        }
        return demand
    }

    /// The names and values of an object, in the text's order; nil for anything else.
    var members: [(name: String, value: UnsafeJSON)]? {
        guard value.pointee.type == JSON_OBJECT else { return nil }
        var members: [(name: String, value: UnsafeJSON)] = []
        members.reserveCapacity(json_object_size(value))
        var position = json_object_iter(value)
        while let current = position {
            if let key = json_object_iter_key(current), let member = json_object_iter_value(current) {
                members.append((string(key, json_object_iter_key_len(current)), UnsafeJSON(text, member)))
            }
            position = json_object_iter_next(value, current)
        }
        return members
    }

    var isNull: Bool { value.pointee.type == JSON_NULL }

    var elements: [UnsafeJSON]? {
        guard value.pointee.type == JSON_ARRAY else { return nil }
        return (0..<json_array_size(value)).compactMap { index in
            json_array_get(value, index).map { UnsafeJSON(text, $0) }
        }
    }

    var string: String? {
        guard value.pointee.type == JSON_STRING, let start = json_string_value(value) else { return nil }
        return string(start, json_string_length(value))
    }

    /// nil for a number with a point or an exponent too.
    var integer: Int? {
        guard value.pointee.type == JSON_INTEGER else { return nil }
        return Int(json_integer_value(value))
    }

    /// nil for a whole number too.
    var number: Double? { value.pointee.type == JSON_REAL ? json_real_value(value) : nil }

    var flag: Bool? {
        switch value.pointee.type {
        case JSON_TRUE: true
        case JSON_FALSE: false
        default: nil
        }
    }

    private func string(_ start: UnsafePointer<CChar>, _ length: Int) -> String {
        String(decoding: UnsafeRawBufferPointer(start: start, count: length), as: UTF8.self)
    }
}
