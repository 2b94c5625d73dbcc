import Glibc

/// Floats of a fixed number, aligned to 64 bytes for the vector kernels, zero at first, freed with the object.
package final class UnsafeFloatMemory {
    package let start: UnsafeMutablePointer<Float>
    package let count: Int
    private let allocation: UnsafeMutableRawPointer
    private static let alignment = 64

    /// - Throws: `outOfMemory` when the bytes overflow, exceed the machine's memory or are refused by the system.
    package init(count: Int) throws {
        let (bytes, overflow) = max(count, 1).multipliedReportingOverflow(by: MemoryLayout<Float>.stride)
        // Linux promises memory it does not have and kills the process on its use: ask first.
        guard !overflow, bytes <= Self.physicalMemory else {
            throw DaflError(.outOfMemory, "\(count) floats are more than this machine's memory holds")
        }
        let alignment = bytes >= 2 * Self.hugePage ? Self.hugePage : Self.alignment
        // calloc's large pieces are zero without being touched: memory that nobody writes to costs nothing.
        guard let allocation = calloc(1, bytes + alignment) else {
            throw DaflError(.outOfMemory, "no memory for \(count) floats")
        }
        self.allocation = allocation
        let aligned = allocation.alignedUp(toMultipleOf: alignment)
        // Looking up small pages takes a tenth of a convolution's time. A wish only, so its failure does no harm.
        if alignment == Self.hugePage { madvise(aligned, bytes, MADV_HUGEPAGE) }
        start = aligned.bindMemory(to: Float.self, capacity: max(count, 1))
        self.count = count
    }

    deinit {
        free(allocation)
    }

    /// Whether no number is infinite or NaN.
    package var isFinite: Bool {
        // Positive floats are in the order of their bits, and infinity and NaN come last. A maximum vectorises; leaving early
        // would not.
        var largest: UInt32 = 0
        for i in 0..<count { largest = max(largest, start[i].bitPattern & 0x7FFF_FFFF) }
        return largest < Float.infinity.bitPattern
    }

    private static let hugePage = 2 << 20
    private static let physicalMemory = sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE))
}
