import Formats
import Numerics

extension ByteSource {
    /// Whether the last eight bytes are the checksum of all before.
    var hasItsChecksum: Bool {
        get throws {
            var (checksum, stored) = (Checksum(), UInt64(0))
            guard size >= MemoryLayout.size(ofValue: stored) else { return false }
            let length = size - MemoryLayout.size(ofValue: stored), part = min(1 << 18, length / 4 + 1)
            let memory = try Tensor([part])
            for start in stride(from: 0, to: length, by: 4 * part) {
                let bytes = UnsafeMutableRawBufferPointer(start: memory.pointer, count: min(4 * part, length - start))
                try read(into: bytes, at: start)
                checksum.add(UnsafeRawBufferPointer(bytes))
            }
            try withUnsafeMutableBytes(of: &stored) { try read(into: $0, at: length) }
            return UInt64(littleEndian: stored) == checksum.value
        }
    }
}
