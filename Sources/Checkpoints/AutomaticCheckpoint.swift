import Distillation
import Formats
import Numerics

/// Saves a run to a file as often as its options say.
package final class AutomaticCheckpoint {
    private let path: String
    private let seconds: Double
    private let steps: Int
    /// The last that was saved.
    private var savedStep = -1
    /// When it was last tried: at a step, and a time.
    private var tried = (step: 0, at: 0.0)
    /// The last one's, in seconds.
    private var cost = 0.0
    /// So many times its cost passes between two of them, by time: all of them stay below 2 % of a run's time, the next one may cost
    /// twice as much, of a bank that grows or on a disk that others use.
    private static let leastPause = 100.0

    /// nil when the options ask for none.
    package init?(_ options: DistillationOptions) {
        guard !options.checkpoint.isEmpty else { return nil }
        (path, seconds, steps) = (options.checkpoint, options.checkpointSeconds, options.checkpointSteps)
        // Of a run that was killed while it wrote.
        UnsafeFileReplacement.removeAbandoned(beside: path)
    }

    /// What is there to go on from; nil for nothing.
    /// - Throws: as `Checkpoint.init`.
    package func existing() throws -> Checkpoint? { try UnsafeFileReader.exists(path) ? Checkpoint(path: path) : nil }

    /// Before the first step.
    /// - Parameter isSaved: whether the run comes from `existing`; else it is saved now, so that a path that cannot be written is
    ///   told of now, and not after hours.
    /// - Throws: `io`.
    package func begin(_ distillation: Distillation, isSaved: Bool) throws {
        guard isSaved else { return try save(distillation) }
        savedStep = distillation.progress.step
        tried = (savedStep, monotonicSeconds())
    }

    private func save(_ distillation: Distillation) throws {
        let (step, start) = (distillation.progress.step, monotonicSeconds())
        tried = (step, start)
        try distillation.save(path: path)
        tried.at = monotonicSeconds()
        (savedStep, cost) = (step, tried.at - start)
    }

    /// After a step.
    package func saveIfDue(_ distillation: Distillation) {
        let step = distillation.progress.step
        let isDue = steps > 0
            ? step - tried.step >= steps : monotonicSeconds() - tried.at >= max(seconds, Self.leastPause * cost)
        if isDue || step == distillation.options.steps { saveOrTell(distillation) }
    }

    /// Where a run ends, in whatever way, unless nothing has happened since the last time.
    package func saveAtEnd(_ distillation: Distillation) {
        if distillation.progress.step != savedStep { saveOrTell(distillation) }
    }

    /// A run of hours does not end because a disk is full.
    private func saveOrTell(_ distillation: Distillation) {
        do {
            try save(distillation)
        } catch {
            distillation.log(.warning, "no checkpoint could be written, and the one before stays: \(error)")
        }
    }
}
