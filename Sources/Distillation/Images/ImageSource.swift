import Numerics

/// Where the images of a step come from.
protocol ImageSource: Undoable {
    var images: Batch { get }
    /// What the student is to answer for `images`.
    var targets: Targets { get }
    /// Makes the images of a step, asks the teacher about them, and learns from its answer if the source can learn.
    /// - Throws: what the teacher throws; `diverged`.
    func next() throws -> GeneratorLoss.Value
    /// Images made now for someone to look at, as those of a step are and standardised as those, which leaves the source as it
    /// was: [count, image] to `rows`.
    func sample(_ random: inout Philox, count: Int, rows: UnsafeMutablePointer<Float>) throws
}
