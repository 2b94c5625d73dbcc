import Glibc
import Numerics

/// A struct of the header that begins with its size, so that programs built against another version of the header can be served.
protocol VersionedStruct {
    init()
    /// Its size in the version that had it first. Later versions only append.
    static var firstSize: Int { get }
    /// What a program built against an older header means by the fields that it does not know: what the init function fills in.
    static var defaults: Self { get }
}

extension VersionedStruct {
    static var defaults: Self { Self() }
}

/// Reads and fills structs whose writers may know more fields than this library, or fewer: what both know is the smaller of the
/// two sizes.
enum SizedStruct<Layout: VersionedStruct> {
    private static var known: Int { MemoryLayout<Layout>.size }
    /// More than any version will have: a larger size is one that nobody wrote.
    private static var most: Int { 1 << 16 }

    private static func require(size: UInt, of name: String) throws -> Int {
        guard let fitting = Int(exactly: size), (Layout.firstSize...most).contains(fitting) else {
            throw DaflError.invalid("struct_size of \(name)", size, "sizeof(\(Layout.self)), \(known) in this version")
        }
        return fitting
    }

    /// Bytes of the whole fields that both know. Every field takes eight: half a pointer is none.
    private static func shared(_ size: Int) -> Int { min(size, known) / 8 * 8 }

    private static func declaredSize(_ pointer: UnsafeRawPointer) -> UInt {
        pointer.load(as: UInt.self)
    }

    /// The struct that a caller filled in, with the defaults of what it has no fields for.
    /// - Throws: `invalidArgument` for NULL, an impossible size, or wishes in fields that this version does not know.
    static func read(_ pointer: UnsafePointer<Layout>?, _ name: String) throws -> Layout {
        let bytes = UnsafeRawPointer(try CBoundary.require(pointer, name))
        let size = try require(size: declaredSize(bytes), of: name)
        for offset in stride(from: known, to: size, by: 1) where bytes.load(fromByteOffset: offset, as: UInt8.self) != 0 {
            throw DaflError(
                .invalidArgument,
                "\(name) sets byte \(offset) of \(Layout.self), which this version does not know; it must be 0")
        }
        var value = Layout.defaults
        withUnsafeMutableBytes(of: &value) { $0.copyMemory(from: UnsafeRawBufferPointer(start: bytes, count: shared(size))) }
        return value
    }

    /// Fills a struct whose caller has set struct_size. Writes neither past that size nor past what this version knows, so that
    /// a size that is too large does no harm.
    static func fill(_ pointer: UnsafeMutablePointer<Layout>?, _ name: String, _ value: Layout) throws {
        let bytes = UnsafeMutableRawPointer(try CBoundary.require(pointer, name))
        let declared = declaredSize(bytes)
        write(value, to: bytes, size: try require(size: declared, of: name), declared)
    }

    /// Fills a struct of `size` bytes, struct_size included, and sets to zero what this version does not know.
    static func initialise(
        _ pointer: UnsafeMutablePointer<Layout>?, _ name: String, size declared: Int, _ value: Layout
    ) throws {
        let bytes = UnsafeMutableRawPointer(try CBoundary.require(pointer, name))
        let size = try require(size: UInt(bitPattern: declared), of: name)
        if size > known { memset(bytes + known, 0, size - known) }
        write(value, to: bytes, size: size, UInt(bitPattern: declared))
    }

    private static func write(_ value: Layout, to bytes: UnsafeMutableRawPointer, size: Int, _ declared: UInt) {
        withUnsafeBytes(of: value) { bytes.copyMemory(from: $0.baseAddress ?? UnsafeRawPointer(bytes), byteCount: shared(size)) }
        bytes.storeBytes(of: declared, as: UInt.self)
    }
}
