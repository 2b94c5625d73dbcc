import Networks
import Numerics
import Training

/// Which of the students of a run is handed out: the one that names the teacher's class most often on images that no student
/// learned from.
///
/// Some of the source's batches are held out for this. Neither labels nor test images are asked: a data-free user has none, and
/// to keep the student that is best on a test set, as the authors' code does, is to peek.
final class StudentSelection {
    /// Every so many steps, the images are held out and the student is compared with the best so far.
    private static let interval = 25
    /// Held-out batches that are kept, the newest.
    private static let batches = 8

    private let heldOut: ReplayBank
    private let student: Network
    private let best: Network
    private var hasBest = false
    private let candidatePredictor: Predictor
    private let bestPredictor: Predictor
    private let answers: Tensor
    private let compute: Compute

    init(_ student: Network, image: Shape, _ options: DistillationOptions, _ compute: Compute) throws {
        let capacity = Self.batches * options.batchSize
        heldOut = try ReplayBank(capacity: capacity, draws: 0, image: image, classes: student.outputShape.count)
        self.student = student
        best = try student.copy()
        candidatePredictor = try Predictor(student, batchSize: options.batchSize, compute)
        bestPredictor = try Predictor(best, batchSize: options.batchSize, compute)
        answers = try Tensor([capacity, student.outputShape.count])
        self.compute = compute
    }

    /// Whether the images of a step, counted from 0, are held out.
    static func holdsOut(step: Int) -> Bool { step % interval == interval - 1 }

    /// Keeps images with the teacher's logits for them, and the student if none so far agrees more.
    func consider(_ images: Batch, logits: Batch) throws {
        heldOut.add(images, Targets(logits: logits), compute)
        guard try isStudentBest() else { return }
        best.load(student)
        hasBest = true
    }

    /// The student or one from before it, whose weights are finite. Changes nothing.
    func selected() throws -> Network { try isStudentBest() ? student : best }

    private func isStudentBest() throws -> Bool {
        guard student.isFinite else { return false }
        guard hasBest else { return true }
        return try agreement(candidatePredictor) >= agreement(bestPredictor)
    }

    /// On how many of the held-out images a network names the teacher's class.
    private func agreement(_ predictor: Predictor) throws -> Int {
        try predictor.predict(rows: heldOut.images.pointer, count: heldOut.count, outputs: answers.pointer)
        return (0..<heldOut.count).count { answers.argmax(row: $0) == heldOut.logits.argmax(row: $0) }
    }
}

extension Tensor {
    /// In rows [n, K]: the place of a row's largest number, the first of equals.
    fileprivate func argmax(row: Int) -> Int {
        let start = row * shape[1]
        var best = 0
        for k in 1..<shape[1] where self[start + k] > self[start + best] { best = k }
        return best
    }
}
