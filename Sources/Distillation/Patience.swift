import Numerics

/// Notices that a student no longer gets better, for a run to end there.
struct Patience {
    /// In steps; 0 for none.
    private let steps: Int
    private var best = -1.0
    private(set) var bestStep = 0

    init(_ options: DistillationOptions) { steps = options.patience }

    /// - Parameters:
    ///   - quality: the share of what it has not learned from that the student knows.
    ///   - step: how many are done.
    mutating func see(_ quality: Double, step: Int) {
        if quality > best { (best, bestStep) = (quality, step) }
    }

    /// Not before anything was seen.
    func isOver(step: Int) -> Bool { steps > 0 && best >= 0 && step - bestStep >= steps }

    mutating func persist(_ archive: Archive) {
        archive.real("best", &best, in: -1...1)
        archive.whole("best_step", &bestStep, in: Archive.counts)
    }
}
