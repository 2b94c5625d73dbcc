import Glibc
import Numerics

/// Bytes that are read where they are wanted: a file's or a host's.
package protocol ByteSource: AnyObject {
    var size: Int { get }
    /// - Throws: `io` when they end before.
    func read(into bytes: UnsafeMutableRawBufferPointer, at offset: Int) throws
}

extension ByteSource {
    /// Calls `body` with `count` bytes from `offset` on, which are gone when it returns.
    /// - Throws: `io` when they end before, `outOfMemory`.
    func withBytes<Result>(
        at offset: Int, count: Int, _ body: (UnsafeRawBufferPointer) throws -> Result
    ) throws -> Result {
        guard let memory = malloc(max(count, 1)) else { throw DaflError(.outOfMemory, "no memory for \(count) bytes") }
        defer { free(memory) }
        let bytes = UnsafeMutableRawBufferPointer(start: memory, count: count)
        try read(into: bytes, at: offset)
        return try body(UnsafeRawBufferPointer(bytes))
    }

    /// Fills a tensor with the numbers from `offset` on.
    func read(_ type: NumberType, into tensor: Tensor, at offset: Int) throws {
        guard type != .f32 else {
            let numbers = UnsafeMutableBufferPointer(start: tensor.pointer, count: tensor.count)
            return try read(into: UnsafeMutableRawBufferPointer(numbers), at: offset)
        }
        // A part at a time, so that the tensor alone takes memory of the file's size.
        let part = 1 << 16
        for start in stride(from: 0, to: tensor.count, by: part) {
            let count = min(part, tensor.count - start)
            try withBytes(at: offset + start * type.bytes, count: count * type.bytes) {
                type.convert($0, to: tensor.pointer + start)
            }
        }
    }
}

/// A host's bytes, which must outlive the object.
package final class MemoryBytes: ByteSource {
    let bytes: UnsafeRawBufferPointer

    package init(borrowing bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    package var size: Int { bytes.count }

    package func read(into target: UnsafeMutableRawBufferPointer, at offset: Int) throws {
        guard offset >= 0, target.count <= bytes.count - offset else { throw DaflError(.io, "ends too early") }
        target.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + target.count]))
    }
}

/// Where bytes are written one after another.
package protocol ByteSink: AnyObject {
    func write(_ bytes: UnsafeRawBufferPointer) throws
}

extension ByteSink {
    package func write(_ bytes: [UInt8]) throws { try bytes.withUnsafeBytes { try write($0) } }

    func write(_ tensor: Tensor) throws {
        try write(UnsafeRawBufferPointer(UnsafeBufferPointer(start: tensor.pointer, count: tensor.count)))
    }
}

/// A host's memory.
package final class MemorySink: ByteSink {
    private let memory: UnsafeMutableRawBufferPointer
    private var count = 0

    /// - Parameter memory: must outlive the object, and have room for all.
    package init(borrowing memory: UnsafeMutableRawBufferPointer) { self.memory = memory }

    package func write(_ bytes: UnsafeRawBufferPointer) {
        precondition(bytes.count <= memory.count - count)
        UnsafeMutableRawBufferPointer(rebasing: memory[count..<count + bytes.count]).copyMemory(from: bytes)
        count += bytes.count
    }
}
