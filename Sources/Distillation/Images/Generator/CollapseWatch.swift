import Numerics

/// Notices a generator that makes images of a few classes only.
///
/// That is when the entropy of the classes stays below half of what n images of K classes can have: when the effective classes
/// are fewer than the square root of K, or of n where that is smaller.
struct CollapseWatch {
    private let fewest: Double
    private var poorSteps = 0
    private var generation = 0
    private static let patience = 25

    init(classes: Int, batchSize: Int) {
        fewest = Double(min(classes, batchSize)).squareRoot()
    }

    mutating func persist(_ archive: Archive) {
        archive.whole("poor_steps", &poorSteps, in: 0...Self.patience - 1)
        archive.whole("generation", &generation, in: Archive.counts)
    }

    /// After a step: whether the generator has collapsed. Its successor has as much patience again.
    /// - Parameter generation: which generator made them.
    mutating func hasCollapsed(_ effectiveClasses: Double, generation: Int) -> Bool {
        if generation != self.generation { (self.generation, poorSteps) = (generation, 0) }
        poorSteps = effectiveClasses < fewest ? poorSteps + 1 : 0
        guard poorSteps == Self.patience else { return false }
        poorSteps = 0
        return true
    }
}
