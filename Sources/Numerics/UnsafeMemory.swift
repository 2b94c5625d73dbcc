import Glibc

/// Bytes of a fixed number, aligned to 64 for the vector kernels, zero at first, freed with the object.
///
/// Swift's own arrays end the process when the system refuses them memory. Everything whose size a host chooses lies in one of
/// these instead.
final class UnsafeMemory {
    let start: UnsafeMutableRawPointer
    private let allocation: UnsafeMutableRawPointer
    private let size: Int
    private static let alignment = 64
    private static let hugePage = 2 << 20

    /// - Parameter description: of what is to lie here, for the message when it cannot.
    /// - Throws: `outOfMemory` when the bytes overflow, are more than `MemoryLimit` grants, or are refused by the system.
    init<Element>(_ element: Element.Type, count: Int, _ description: String) throws {
        let (bytes, overflow) = max(count, 1).multipliedReportingOverflow(by: MemoryLayout<Element>.stride)
        let alignment = bytes >= 2 * Self.hugePage ? Self.hugePage : Self.alignment
        let (size, sumOverflow) = bytes.addingReportingOverflow(alignment)
        guard !overflow, !sumOverflow else {
            throw DaflError(.outOfMemory, "no memory for \(count) \(description): so many cannot be addressed")
        }
        try MemoryLimit.process.take(size) { "\(count) \(description)" }
        // calloc's large pieces are zero without being touched: memory that nobody writes to costs nothing.
        let allocation = calloc(1, size)
        guard let allocation, size < Self.large || Self.leavesHeadroom() else {
            free(allocation)
            MemoryLimit.process.giveBack(size)
            throw DaflError(.outOfMemory, "no memory for \(count) \(description): the system refuses it")
        }
        self.allocation = allocation
        self.size = size
        start = allocation.alignedUp(toMultipleOf: alignment)
        // Looking up small pages takes a tenth of a convolution's time. A wish only, so its failure does no harm.
        if alignment == Self.hugePage { madvise(start, bytes, MADV_HUGEPAGE) }
    }

    deinit {
        free(allocation)
        MemoryLimit.process.giveBack(size)
    }

    private static let large = 1 << 16
    private static let headroom = 16 << 20

    /// Whether the system would grant some more. Swift's small objects end the process when they are refused memory: an
    /// allocation that would leave them none, under a limit to the process's memory, has to be refused in their place.
    private static func leavesHeadroom() -> Bool {
        guard let probe = mmap(nil, headroom, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
            probe != MAP_FAILED
        else { return false }
        munmap(probe, headroom)
        return true
    }
}
