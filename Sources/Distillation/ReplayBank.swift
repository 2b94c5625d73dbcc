import Numerics

/// The images of the last steps with the teacher's logits for them, so that the student can learn from one image many
/// times and from many generations of the generator at once.
final class ReplayBank {
    /// Rows [capacity, image], of which the first `count` are filled.
    let images: Tensor
    /// Rows [capacity, K].
    let logits: Tensor
    private(set) var count = 0
    private var labels: [Int]
    private let capacity: Int
    private var picks: [Int]
    private var next = 0

    /// - Parameters:
    ///   - capacity: in images, at least as many as the batches that come.
    ///   - draws: images that are drawn at a time.
    init(capacity: Int, draws: Int, image: Shape, classes: Int) throws {
        images = try Tensor([capacity, image.count])
        logits = try Tensor([capacity, classes])
        labels = []
        self.capacity = capacity
        picks = Array(repeating: 0, count: draws)
    }

    /// Takes a batch in; the oldest images leave when there is no room. Either all batches have labels or none.
    func add(_ batch: Batch, _ targets: Targets, _ compute: Compute) {
        if next + batch.samples > capacity { next = 0 }
        batch.store(rows: images.pointer + next * batch.elements, compute)
        targets.logits.store(rows: logits.pointer + next * targets.logits.elements, compute)
        if let new = targets.labels {
            labels.append(contentsOf: repeatElement(0, count: max(0, next + new.count - labels.count)))
            for i in 0..<new.count { labels[next + i] = new[i] }
        }
        next += batch.samples
        count = max(count, next)
    }

    /// Fills a batch with images drawn at random, altered when there is an augmentation, and their logits of before.
    /// Returns their labels, if they have any.
    func draw(
        _ random: inout Philox, images batch: Batch, logits answers: Batch, augmentation: Augmentation?, _ compute: Compute
    ) -> [Int]? {
        for i in 0..<batch.samples { picks[i] = random.next(below: count) }
        batch.load(rows: images.pointer, picks: picks, compute)
        answers.load(rows: logits.pointer, picks: picks, compute)
        augmentation?.apply(&random, batch, compute)
        return labels.isEmpty ? nil : picks.map { labels[$0] }
    }
}
