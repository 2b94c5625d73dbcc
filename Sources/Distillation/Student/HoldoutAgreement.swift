import Networks
import Numerics
import Training

/// How well the student knows the teacher on drawn pictures that neither it nor any generator has learned from.
///
/// On the images that a student learns from it soon agrees with any teacher, and where those are of few classes that says
/// nothing. So the pictures are others, and each class that the teacher names counts as much as the next. Of students of one
/// teacher, those with more of it here have more of it on real images too (benchmarks/ablation.md).
final class HoldoutAgreement: Persistent {
    private let teacher: any TeacherPass
    private let predictor: Predictor
    private let pictures: ProceduralPictures
    private let seed: UInt64
    private let compute: Compute
    private let rows: Tensor  // [n, image]
    private let answers: Tensor  // [n, K], of the student
    private let batches: Int
    /// The teacher's classes, from the first `value` on.
    private let labels: Indices  // [batches n]
    private var hasLabels = false
    private let named: Indices  // [K]: pictures of a class
    private let agreed: Indices  // [K]: and of those, on which the student agrees

    private static let fewestPictures = 512
    /// So many of a class must there be for it to count, where there are not too many classes for that.
    private let fewestOfAClass: Int

    /// nil when nothing can be drawn for the teacher, or when it may be queried too rarely to spare so many.
    init?(_ queried: QueriedTeacher, student: Network, _ options: DistillationOptions, _ compute: Compute) throws {
        let (teacher, n) = (queried.teacher, options.batchSize)
        batches = (Self.fewestPictures + n - 1) / n
        let spares = options.maxTeacherQueries == 0 || options.maxTeacherQueries >= 50 * batches * n
        guard spares, let image = ProceduralSource.image(of: teacher.inputShape, options) else { return nil }
        self.teacher = try teacher.plan(try Batch(samples: n, shape: teacher.inputShape), gradients: false, compute)
        predictor = try Predictor(student, batchSize: n, compute)
        pictures = try ProceduralPictures(image, standardised: queried.units?.standardisedRange, compute)
        rows = try Tensor([n, teacher.inputShape.count])
        answers = try Tensor([n, teacher.classes])
        labels = try Indices(count: batches * n)
        named = try Indices(count: teacher.classes)
        agreed = try Indices(count: teacher.classes)
        fewestOfAClass = max(1, min(5, batches * n / teacher.classes))
        seed = options.ownSeed
        self.compute = compute
    }

    /// The same as a mean over ranks, where there are several.
    func value(over ranks: Ranks?) throws -> Double? {
        let value = try value()
        guard let ranks else { return value }
        let (sum, share) = try ranks.average(value ?? 0, value == nil ? 0 : 1)
        return share == 0 ? nil : sum / share
    }

    /// The mean, over the classes that the teacher names, of the share of their pictures for which the student names the same.
    /// The teacher is queried the first time. nil where there are too few of each class.
    /// - Throws: what the teacher throws.
    func value() throws -> Double? {
        if !hasLabels { try askTeacher() }
        for k in 0..<named.count { (named[k], agreed[k]) = (0, 0) }
        for batch in 0..<batches {
            draw(batch)
            try predictor.predict(rows: rows.pointer, count: rows.shape[0], outputs: answers.pointer)
            for i in 0..<rows.shape[0] {
                let label = labels[batch * rows.shape[0] + i]
                named[label] += 1
                agreed[label] += answers.argmax(row: i) == label ? 1 : 0
            }
        }
        var (sum, classes) = (0.0, 0)
        for k in 0..<named.count where named[k] >= fewestOfAClass {
            sum += Double(agreed[k]) / Double(named[k])
            classes += 1
        }
        return classes == 0 ? nil : sum / Double(classes)
    }

    func persist(_ archive: Archive) {
        archive.flag("has_labels", &hasLabels)
        archive.indices("labels", labels, in: 0..<named.count)
    }

    private func askTeacher() throws {
        for batch in 0..<batches {
            draw(batch)
            teacher.images.load(rows: rows.pointer, compute)
            try teacher.forward()
            for i in 0..<rows.shape[0] { labels[batch * rows.shape[0] + i] = teacher.logits.argmax(i) }
        }
        hasLabels = true
    }

    /// Far behind those that a run draws.
    static let firstPicture = 1 << 38

    private func draw(_ batch: Int) {
        let n = rows.shape[0]
        pictures.draw(seed: seed, first: Self.firstPicture + batch * n, count: n, rows: rows.pointer)
    }
}
