import Networks
import Numerics
import Training

/// Which of the students of a run is handed out: the one that names the teacher's class most often on images that no student
/// learned from.
///
/// Some of the source's batches are held out for this. Neither labels nor test images are asked: a data-free user has none, and
/// to keep the student that is best on a test set, as the authors' code does, is to peek.
final class StudentSelection: Persistent {
    /// Every so many steps, the images are held out and the student is compared with the best so far.
    private static let interval = 25
    /// Held-out batches that are kept, the newest.
    private static let batches = 8

    private let images: Tensor  // [batches * n, image]
    private let logits: Tensor  // [batches * n, K]
    private let answers: Tensor  // [batches * n, K]
    /// Batches that were held out.
    private var considered = 0
    private let student: Network
    private let best: Network
    private var hasBest = false
    private let candidatePredictor: Predictor
    private let bestPredictor: Predictor
    /// Which select together; nil for none.
    private let ranks: Ranks?
    private let compute: Compute

    init(
        _ student: Network, image: Shape, _ options: DistillationOptions, with ranks: Ranks? = nil, _ compute: Compute
    ) throws {
        let (capacity, classes) = (Self.batches * options.batchSize, student.outputShape.count)
        images = try Tensor([capacity, image.count])
        logits = try Tensor([capacity, classes])
        answers = try Tensor([capacity, classes])
        (self.student, self.ranks) = (student, ranks)
        best = try student.copy()
        candidatePredictor = try Predictor(student, batchSize: options.batchSize, compute)
        bestPredictor = try Predictor(best, batchSize: options.batchSize, compute)
        self.compute = compute
    }

    func persist(_ archive: Archive) {
        archive.whole("considered", &considered, in: Archive.counts)
        archive.tensor("images", images)
        archive.tensor("logits", logits)
        archive.flag("has_best", &hasBest)
        archive.part("best", best)
    }

    /// Whether the images of a step, counted from 0, are held out.
    static func holdsOut(step: Int) -> Bool { step % interval == interval - 1 }

    /// Keeps images with the teacher's logits for them, and the student if none so far agrees more.
    func consider(_ batch: Batch, logits targets: Batch) throws {
        let start = considered % Self.batches * batch.samples
        batch.store(rows: images.pointer + start * batch.elements, compute)
        targets.store(rows: logits.pointer + start * targets.elements, compute)
        considered += 1
        do {
            try reconsider()
        } catch {
            considered -= 1  // the step does not count, and brings these images anew
            throw error
        }
    }

    /// Keeps the student if none so far agrees more on what was held out.
    func reconsider() throws {
        guard try isStudentBest() else { return }
        best.load(student)
        hasBest = true
    }

    /// The student or one from before it, whose weights are finite; before anything was held out, the student as it is. Of several
    /// ranks, which can only compare within a step, that of the last comparison. Changes nothing.
    func selected() throws -> Network {
        guard hasBest else { return student }
        return try ranks == nil && isStudentBest() ? student : best
    }

    private func isStudentBest() throws -> Bool {
        guard student.isFinite || ranks != nil else { return false }
        var (candidate, before) = (0.0, 0.0)
        if hasBest { (candidate, before) = try (Double(agreement(candidatePredictor)), Double(agreement(bestPredictor))) }
        if let ranks { (candidate, before) = try ranks.average(candidate, before) }
        return candidate >= before
    }

    /// On how many of the held-out images a network names the teacher's class.
    private func agreement(_ predictor: Predictor) throws -> Int {
        let count = min(considered, Self.batches) * images.shape[0] / Self.batches
        try predictor.predict(rows: images.pointer, count: count, outputs: answers.pointer)
        return (0..<count).count { answers.argmax(row: $0) == logits.argmax(row: $0) }
    }
}
