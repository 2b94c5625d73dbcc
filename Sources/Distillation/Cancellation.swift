import Numerics
import Synchronization

/// A wish to stop that any thread may utter.
package final class Cancellation: Sendable {
    private let isWished = Atomic<Bool>(false)

    package init() {}

    package func cancel() { isWished.store(true, ordering: .relaxed) }
    /// Forgets a wish that came before the work it was to stop.
    package func clear() { isWished.store(false, ordering: .relaxed) }

    /// - Throws: `cancelled` when the wish was uttered since the last `clear`.
    package func check() throws {
        if isWished.load(ordering: .relaxed) { throw DaflError(.cancelled, "the distillation was cancelled; it can go on") }
    }
}
