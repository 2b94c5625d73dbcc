import Numerics

/// Where the images of a step come from.
protocol ImageSource: AnyObject, Persistent {
    var images: Batch { get }
    /// What the student is to answer for `images`.
    var targets: Targets { get }
    /// What makes images for it, if anything does.
    var generator: GeneratorSource? { get }
    /// Whether `generator` made `images`.
    var generatesNow: Bool { get }
    /// Makes the images of a step, asks the teacher about them, and learns from its answer if the source can learn.
    /// - Throws: what the teacher throws; `diverged`.
    func next() throws -> GeneratorLoss.Value
    /// Whether the student is to learn from `images`, asked once after each `next`.
    /// - Parameter agreement: the share of them for which the student names the teacher's class already.
    func areFit(agreement: Double) -> Bool
    /// Images made now for someone to look at, as those of a step are and standardised as those, which leaves the source as it
    /// was: [count, image] to `rows`.
    func sample(_ random: inout Philox, count: Int, rows: UnsafeMutablePointer<Float>) throws
}

extension ImageSource {
    var generator: GeneratorSource? { nil }
    var generatesNow: Bool { false }
    func areFit(agreement: Double) -> Bool { true }
}
