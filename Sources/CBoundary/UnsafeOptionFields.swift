import CDafl
import Glibc
import Numerics
import Training

/// Between options and the C struct that is made from their table: behind struct_size, every row is a field of eight bytes.
enum OptionFields<Options: OptionTable, Layout> {
    private static func offset(of index: Int) -> Int { MemoryLayout<Int>.size + 8 * index }

    /// - Throws: `invalidArgument` for a text that is NULL, or names none of an option's choices. Ranges are not judged.
    static func read(_ c: Layout, into options: inout Options) throws {
        try withUnsafeBytes(of: c) { bytes in
            for (index, option) in Options.table.enumerated() {
                guard let kind = option.value?(options) else { continue }
                let start = offset(of: index)
                switch kind {
                case .whole: try option.set(.whole(Int(bytes.load(fromByteOffset: start, as: Int64.self))), in: &options)
                case .unsigned: try option.set(.unsigned(bytes.load(fromByteOffset: start, as: UInt64.self)), in: &options)
                case .real: try option.set(.real(bytes.load(fromByteOffset: start, as: Double.self)), in: &options)
                case .text:
                    let text = bytes.load(fromByteOffset: start, as: UnsafePointer<CChar>?.self)
                    try option.set(.text(requireText(text, option.name)), in: &options)
                }
            }
        }
    }

    /// Writes all but what only the host can hold.
    static func write(_ options: Options, to c: inout Layout, onlyPresets: Bool = false) {
        withUnsafeMutableBytes(of: &c) { bytes in
            for (index, option) in Options.table.enumerated() where !(onlyPresets && option.initial.count == 1) {
                let start = offset(of: index)
                switch option.value?(options) {
                case .whole(let value): bytes.storeBytes(of: Int64(value), toByteOffset: start, as: Int64.self)
                case .unsigned(let value): bytes.storeBytes(of: value, toByteOffset: start, as: UInt64.self)
                case .real(let value): bytes.storeBytes(of: value, toByteOffset: start, as: Double.self)
                case .text(let text):
                    bytes.storeBytes(of: StaticText.lasting(text), toByteOffset: start, as: UnsafePointer<CChar>?.self)
                case nil: break
                }
            }
        }
    }
}

/// C strings that live as long as the library.
enum StaticText {
    /// Of a literal.
    static func pointer(_ text: StaticString) -> UnsafePointer<CChar> {
        UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self)
    }

    /// Of one of the few texts that tables of options have; the same text has the same pointer.
    static func lasting(_ text: String) -> UnsafePointer<CChar>? {
        copies.withLock { copies in
            if let copy = copies[text] { return copy }
            let copy = strdup(text).map { UnsafePointer($0) }
            copies[text] = copy
            return copy
        }
    }

    private static let copies = Locked<[String: UnsafePointer<CChar>]>([:])
}
