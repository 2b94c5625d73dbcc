import Numerics
import Synchronization

/// A wish to stop that any thread may utter.
package final class Cancellation: Sendable {
    private let isWished = Atomic<Bool>(false)

    package init() {}

    package func cancel() { isWished.store(true, ordering: .relaxed) }

    /// Fulfils the wish, if one was uttered since the last time.
    /// - Throws: `cancelled`.
    package func check() throws {
        if isWished.exchange(false, ordering: .relaxed) { throw DaflError(.cancelled, "the distillation was cancelled; it can go on") }
    }
}
