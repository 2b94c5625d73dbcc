import LaneKernels

/// The vector kernels for one instruction set.
package typealias Kernels = lane_kernels

/// Where the work is done: the kernels for this processor and a pool of threads.
///
/// One Compute belongs to one thread at a time, like the handle that owns it.
package final class Compute {
    package let kernels: Kernels
    /// Whether 3 x 3 convolutions may use Winograd's algorithm, which is faster and rounds ten times more coarsely.
    package let usesWinograd: Bool
    private let pool: ThreadPool
    private var scratch: [UnsafeFloatMemory] = []
    private var shared: UnsafeFloatMemory?

    /// - Parameters:
    ///   - threads: at least 1; 0 means as many as the processors this process may use. Where the system refuses some,
    ///     there are fewer.
    ///   - level: which kernels, from 0 (any processor) up; nil for the best this processor can run.
    ///   - usesWinograd: false computes every convolution as it is defined, for comparisons to the last digits.
    /// - Throws: `invalidArgument` when `threads` is negative or above 1024.
    package init(threads: Int = 0, level: Int? = nil, usesWinograd: Bool = true) throws {
        guard (0...1024).contains(threads) else {
            throw DaflError.invalid("threads", threads, "from 0 (all available) to 1024")
        }
        let best = Int(lane_kernels_available()) - 1
        kernels = lane_kernels_at(Int32(min(level ?? best, best))).pointee
        self.usesWinograd = usesWinograd
        pool = ThreadPool(threads: threads == 0 ? Processors.available() : threads)
    }

    private init(alone other: Compute) {
        (kernels, usesWinograd) = (other.kernels, other.usesWinograd)
        pool = ThreadPool(threads: 1)
    }

    /// Another with the same kernels and no thread but the caller's, for work too small to share.
    package func alone() -> Compute { Compute(alone: self) }

    package var threads: Int { pool.threads }

    /// Calls `body` with ranges that together cover 0..<count, one for each thread, and returns when all are done. The
    /// ranges depend on `count` and the number of threads only, so results do too.
    package func parallel(_ count: Int, _ body: (Range<Int>) -> Void) {
        parallelWithIndex(count) { _, range in body(range) }
    }

    /// The same with the number of the share, from 0 to `threads` - 1, for scratch memory of its own.
    package func parallelWithIndex(_ count: Int, _ body: (Int, Range<Int>) -> Void) {
        let shares = min(threads, count)
        guard shares > 1 else { return body(0, 0..<count) }
        pool.run(shares) { share in
            body(share, count * share / shares..<count * (share + 1) / shares)
        }
    }

    /// Makes sure that `scratch` gives at least so many floats from now on. For planning: it may allocate.
    package func reserveScratch(_ floats: Int) throws {
        guard floats > scratch.first?.count ?? 0 else { return }
        scratch = try (0..<threads).map { _ in try UnsafeFloatMemory(count: floats) }
    }

    /// Memory for a thread's intermediate results within one `parallelWithIndex`. Everything planned on this Compute shares
    /// it, so it is only as large as the largest need and stays in the cache.
    package func scratch(of thread: Int) -> UnsafeMutablePointer<Float> { scratch[thread].start }

    /// Makes sure that `sharedScratch` gives at least so many floats from now on. For planning: it may allocate.
    package func reserveSharedScratch(_ floats: Int) throws {
        guard floats > shared?.count ?? 0 else { return }
        shared = nil  // before the next one takes its memory
        shared = try UnsafeFloatMemory(count: floats)
    }

    /// Memory that all threads see, for what one operation's forward or backward makes for itself: of layers with large weights
    /// it is as large as the weights or several times that, and there are many layers.
    /// - Precondition: enough was reserved.
    package var sharedScratch: UnsafeMutablePointer<Float> {
        guard let shared else { preconditionFailure("no shared scratch was reserved") }
        return shared.start
    }

    /// The same for elementwise work on `count` floats: calls `body` with a start, a multiple of 16, and a length, which is
    /// one too except at the end of a count that is none.
    package func parallelFloats(_ count: Int, _ body: (Int, Int) -> Void) {
        // Sharing less than this costs more than it saves.
        guard count >= 1 << 14 else { return body(0, count) }
        let wholeVectors = count / Batch.lanes
        parallel(wholeVectors) { vectors in
            let start = vectors.lowerBound * Batch.lanes
            let end = vectors.upperBound == wholeVectors ? count : vectors.upperBound * Batch.lanes
            body(start, end - start)
        }
    }
}
