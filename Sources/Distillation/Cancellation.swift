import Numerics
import Synchronization

/// A wish to stop that any thread may utter.
package final class Cancellation: Sendable {
    private let isWished = Atomic<Bool>(false)

    package init() {}

    package func cancel() { isWished.store(true, ordering: .relaxed) }

    /// The wish is fulfilled: the call that it was to stop has ended.
    package func clear() { isWished.store(false, ordering: .relaxed) }

    /// - Throws: `cancelled` when the wish was uttered since the last `clear`.
    package func check() throws {
        if isWished.load(ordering: .relaxed) { throw DaflError(.cancelled, "the distillation was cancelled; it can go on") }
    }

    /// Does work that a wish may stop, and fulfils it.
    package func heeding(_ work: () throws -> Void) throws {
        do {
            try work()
        } catch let error as DaflError where error.status == .cancelled {
            clear()
            throw error
        }
    }
}
