import Numerics

/// The images of the last steps with the teacher's logits for them, so that the student can learn from one image many
/// times and from many generations of the generator at once.
final class ReplayBank: Persistent {
    /// [capacity, image], in a byte a pixel, as image files are: of so many images memory is the price.
    private let images: ByteRows
    private let logits: Tensor  // [capacity, K]
    private let labels: Indices?  // [capacity], of labelled data
    var capacity: Int { images.count }
    private(set) var count = 0
    private var next = 0
    private let added: Tensor  // [batch, image]
    private let picks: Indices
    private let pickedLabels: Indices?

    /// - Parameters:
    ///   - capacity: in images, at least a batch.
    ///   - batchSize: of the batches that come and go.
    ///   - keepsLabels: whether they come with labels.
    init(capacity: Int, batchSize: Int, image: Shape, classes: Int, keepsLabels: Bool = false) throws {
        images = try ByteRows(count: capacity, elements: image.count)
        logits = try Tensor([capacity, classes])
        added = try Tensor([batchSize, image.count])
        picks = try Indices(count: batchSize)
        labels = keepsLabels ? try Indices(count: capacity) : nil
        pickedLabels = keepsLabels ? try Indices(count: batchSize) : nil
    }

    /// Bytes that one image takes.
    static func bytesPerImage(_ image: Shape, classes: Int) -> Int { image.count + 4 * classes + 16 }

    func persist(_ archive: Archive) {
        archive.whole("count", &count, in: 0...images.count)
        archive.whole("next", &next, in: 0...count)
        // Those of a failed step stay until those of the step anew take their places: they come first.
        guard archive.isLasting, count > 0 else { return }
        archive.numbers("logits", [count, logits.shape[1]], logits.pointer)
        if let labels { archive.indices("labels", labels, first: count, in: 0..<logits.shape[1]) }
        archive.within("images") { images.persist(archive, first: count) }
    }

    /// Takes a batch in; the oldest images leave when there is no room.
    func add(_ batch: Batch, _ targets: Targets, _ compute: Compute) {
        if next + batch.samples > images.count { next = 0 }
        batch.store(rows: added.pointer, compute)
        images.store(added, at: next, compute)
        targets.logits.store(rows: logits.pointer + next * targets.logits.elements, compute)
        if let new = targets.labels, let labels {
            for i in 0..<new.count { labels[next + i] = new[i] }
        }
        next += batch.samples
        count = max(count, next)
    }

    /// Writes images drawn at random to rows [batch, image], and their logits to a batch. Returns their labels, if they have any.
    func draw(_ random: inout Philox, images rows: Tensor, logits answers: Batch, _ compute: Compute) -> Indices? {
        for i in 0..<picks.count { picks[i] = random.next(below: count) }
        images.load(picks.pointer, to: rows, compute)
        answers.load(rows: logits.pointer, picks: picks.pointer, compute)
        guard let labels, let pickedLabels else { return nil }
        for i in 0..<picks.count { pickedLabels[i] = labels[picks[i]] }
        return pickedLabels
    }
}
