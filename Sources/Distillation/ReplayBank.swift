import Numerics

/// The images of the last steps with the teacher's logits for them, so that the student can learn from one image many
/// times and from many generations of the generator at once.
final class ReplayBank {
    private let images: Tensor  // rows [capacity, image]
    private let logits: Tensor  // rows [capacity, K]
    private let capacity: Int
    private var picks: [Int]
    private(set) var count = 0
    private var next = 0

    /// - Parameters:
    ///   - capacity: in images, at least as many as the batches that come.
    ///   - draws: images that are drawn at a time.
    init(capacity: Int, draws: Int, image: Shape, classes: Int) throws {
        images = try Tensor([capacity, image.count])
        logits = try Tensor([capacity, classes])
        self.capacity = capacity
        picks = Array(repeating: 0, count: draws)
    }

    /// Takes a batch in; the oldest images leave when there is no room.
    func add(_ batch: Batch, logits answers: Batch, _ compute: Compute) {
        if next + batch.samples > capacity { next = 0 }
        batch.store(rows: images.pointer + next * batch.elements, compute)
        answers.store(rows: logits.pointer + next * answers.elements, compute)
        next += batch.samples
        count = max(count, next)
    }

    /// Fills a batch with images drawn at random, altered when there is an augmentation, and their logits of before.
    func draw(
        _ random: inout Philox, images batch: Batch, logits answers: Batch, augmentation: Augmentation?, _ compute: Compute
    ) {
        for i in 0..<batch.samples { picks[i] = random.next(below: count) }
        batch.load(rows: images.pointer, picks: picks, compute)
        answers.load(rows: logits.pointer, picks: picks, compute)
        augmentation?.apply(&random, batch, compute)
    }
}
