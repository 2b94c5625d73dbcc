import Numerics

/// The images of the last steps with the teacher's logits for them, so that the student can learn from one image many
/// times and from many generations of the generator at once.
final class ReplayBank {
    /// [capacity, image], in a byte a pixel, as image files are: of so many images memory is the price.
    private let images: ByteRows
    private let logits: Tensor  // [capacity, K]
    private var labels: [Int] = []
    private(set) var count = 0
    private var next = 0
    private let added: Tensor  // [batch, image]
    private var picks: [Int]

    /// - Parameters:
    ///   - capacity: in images, at least a batch.
    ///   - batchSize: of the batches that come and go.
    init(capacity: Int, batchSize: Int, image: Shape, classes: Int) throws {
        images = try ByteRows(count: capacity, elements: image.count)
        logits = try Tensor([capacity, classes])
        added = try Tensor([batchSize, image.count])
        picks = Array(repeating: 0, count: batchSize)
    }

    /// Takes a batch in; the oldest images leave when there is no room. Either all batches have labels or none.
    func add(_ batch: Batch, _ targets: Targets, _ compute: Compute) {
        if next + batch.samples > images.count { next = 0 }
        batch.store(rows: added.pointer, compute)
        images.store(added, at: next, compute)
        targets.logits.store(rows: logits.pointer + next * targets.logits.elements, compute)
        if let new = targets.labels {
            labels.append(contentsOf: repeatElement(0, count: max(0, next + new.count - labels.count)))
            for i in 0..<new.count { labels[next + i] = new[i] }
        }
        next += batch.samples
        count = max(count, next)
    }

    /// Writes images drawn at random to rows [batch, image], and their logits to a batch. Returns their labels, if they have any.
    func draw(_ random: inout Philox, images rows: Tensor, logits answers: Batch, _ compute: Compute) -> [Int]? {
        for i in picks.indices { picks[i] = random.next(below: count) }
        images.load(picks, to: rows, compute)
        answers.load(rows: logits.pointer, picks: picks, compute)
        return labels.isEmpty ? nil : picks.map { labels[$0] }
    }
}
