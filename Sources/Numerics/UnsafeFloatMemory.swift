import Glibc

/// Floats of a fixed number, aligned to 64 bytes for the vector kernels, zero at first, freed with the object.
package final class UnsafeFloatMemory {
    package let start: UnsafeMutablePointer<Float>
    package let count: Int

    /// - Throws: `outOfMemory` when the bytes overflow, exceed the machine's memory or are refused by the system.
    package init(count: Int) throws {
        let (bytes, overflow) = max(count, 1).multipliedReportingOverflow(by: MemoryLayout<Float>.stride)
        // Linux promises memory it does not have and kills the process on its use: ask first.
        guard !overflow, bytes <= Self.physicalMemory else {
            throw DaflError(.outOfMemory, "\(count) floats are more than this machine's memory holds")
        }
        var memory: UnsafeMutableRawPointer?
        let isLarge = bytes >= 2 * Self.hugePage
        guard posix_memalign(&memory, isLarge ? Self.hugePage : 64, bytes) == 0, let memory else {
            throw DaflError(.outOfMemory, "no memory for \(count) floats")
        }
        // Saves a tenth of a convolution's time, which goes into looking up small pages. A wish, so failure is no matter.
        if isLarge { madvise(memory, bytes, MADV_HUGEPAGE) }
        start = memory.bindMemory(to: Float.self, capacity: max(count, 1))
        self.count = count
        start.initialize(repeating: 0, count: max(count, 1))
    }

    deinit {
        free(start)
    }

    private static let hugePage = 2 << 20
    private static let physicalMemory = sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE))
}
