import Glibc
import Numerics

/// Structs that begin with their size, so that programs built against another version of the header can be served.
///
/// Whoever wrote the struct may know more fields than this library or, once later versions have appended some, fewer; what
/// both know is the smaller of the two sizes. This version is the first, so nobody knows fewer.
enum SizedStruct<Layout> {
    private static var known: Int { MemoryLayout<Layout>.size }
    /// More than any version will have: a larger size is one that nobody wrote.
    private static var most: Int { 1 << 16 }

    private static func require(size: UInt, of name: String) throws -> Int {
        guard let fitting = Int(exactly: size), (known...most).contains(fitting) else {
            throw DaflError.invalid("struct_size of \(name)", size, "sizeof(\(Layout.self)), \(known) in this version")
        }
        return fitting
    }

    private static func declaredSize(_ pointer: UnsafeRawPointer) -> UInt {
        pointer.load(as: UInt.self)
    }

    /// The struct that a caller filled in.
    /// - Throws: `invalidArgument` for NULL, an impossible size, or wishes in fields that this version does not know.
    static func read(_ pointer: UnsafePointer<Layout>?, _ name: String) throws -> Layout {
        let pointer = try CBoundary.require(pointer, name)
        let bytes = UnsafeRawPointer(pointer)
        let size = try require(size: declaredSize(bytes), of: name)
        for offset in known..<size where bytes.load(fromByteOffset: offset, as: UInt8.self) != 0 {
            throw DaflError(
                .invalidArgument,
                "\(name) sets byte \(offset) of \(Layout.self), which this version does not know; it must be 0")
        }
        return pointer.pointee
    }

    /// Fills a struct whose caller has set struct_size.
    static func fill(_ pointer: UnsafeMutablePointer<Layout>?, _ name: String, _ value: Layout) throws {
        let pointer = try CBoundary.require(pointer, name)
        try write(value, to: pointer, name, size: declaredSize(UnsafeRawPointer(pointer)))
    }

    /// Fills a struct of `size` bytes, struct_size included.
    static func initialise(
        _ pointer: UnsafeMutablePointer<Layout>?, _ name: String, size: Int, _ value: Layout
    ) throws {
        try write(value, to: try CBoundary.require(pointer, name), name, size: UInt(bitPattern: size))
    }

    private static func write(_ value: Layout, to pointer: UnsafeMutablePointer<Layout>, _ name: String, size declared: UInt) throws {
        let size = try require(size: declared, of: name)
        let bytes = UnsafeMutableRawPointer(pointer)
        memset(bytes, 0, size)
        pointer.pointee = value
        bytes.storeBytes(of: declared, as: UInt.self)
    }
}
