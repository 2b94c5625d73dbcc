/// Floats of a fixed number, aligned to 64 bytes for the vector kernels, zero at first, freed with the object.
package final class UnsafeFloatMemory {
    package let start: UnsafeMutablePointer<Float>
    package let count: Int
    private let memory: UnsafeMemory

    /// - Throws: `outOfMemory`.
    package init(count: Int) throws {
        memory = try UnsafeMemory(Float.self, count: count, "floats")
        start = memory.start.bindMemory(to: Float.self, capacity: max(count, 1))
        self.count = count
    }

    /// Whether no number is infinite or NaN.
    package var isFinite: Bool { Self.isFinite(start, count) }

    static func isFinite(_ start: UnsafeMutablePointer<Float>, _ count: Int) -> Bool {
        // Positive floats are in the order of their bits, and infinity and NaN come last. A maximum vectorises; leaving early
        // would not.
        var largest: UInt32 = 0
        for i in 0..<count { largest = max(largest, start[i].bitPattern & 0x7FFF_FFFF) }
        return largest < Float.infinity.bitPattern
    }
}
