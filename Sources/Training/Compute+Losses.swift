import Numerics

/// How losses share their work, which is a few operations for each number of a batch.
extension Compute {
    /// As `parallel` over `count` blocks or elements of a batch.
    package func parallel(_ count: Int, of batch: Batch, _ body: (Range<Int>) -> Void) {
        // Sharing less than this costs more than it saves.
        if batch.count < 1 << 14 { body(0..<count) } else { parallel(count, body) }
    }

    /// The sum of what `body` writes to `sums` for each block of a batch. They are added in order, so it does not depend on the
    /// number of threads.
    package func sum(
        overBlocksOf batch: Batch, in sums: Doubles, _ body: (Range<Int>, UnsafeMutablePointer<Double>) -> Void
    ) -> Double {
        precondition(sums.count >= batch.blocks)
        parallel(batch.blocks, of: batch) { body($0, sums.pointer) }
        return (0..<batch.blocks).reduce(0) { $0 + sums[$1] }
    }
}
