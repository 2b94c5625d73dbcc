import Numerics

/// What the student learns from when it does not learn from the generator's own batch: images of the bank, altered a
/// little, with the teacher's answer to what they are then.
final class Replay {
    private let bank: ReplayBank
    private let images: Batch
    private let cachedLogits: Batch
    private let augmentation: Augmentation?
    /// Asked again about altered images.
    private let teacher: any TeacherPass
    private let compute: Compute
    private var random: Philox

    /// nil when the options ask for no bank.
    /// - Parameter images: where `draw` writes.
    init?(_ teacher: any Teacher, images: Batch, _ options: DistillationOptions, _ compute: Compute) throws {
        guard options.replayCapacity > 0 else { return nil }
        bank = try ReplayBank(
            capacity: options.replayCapacity, draws: images.samples, image: images.shape, classes: teacher.classes)
        self.images = images
        cachedLogits = try Batch(samples: images.samples, shape: Shape([teacher.classes]))
        // Noise is noise from every side.
        augmentation = try Augmentation(
            strength: options.imageSource == .generator ? options.augmentation : 0, samples: images.samples,
            image: teacher.inputShape)
        self.teacher = try teacher.plan(images, gradients: false, compute)
        self.compute = compute
        random = Philox(seed: options.seed, stream: .replay)
    }

    func add(_ batch: Batch, logits: Batch) {
        bank.add(batch, logits: logits, compute)
    }

    /// Writes images to the student's batch and returns the teacher's logits for them.
    func draw() throws -> Batch {
        bank.draw(&random, images: images, logits: cachedLogits, augmentation: augmentation, compute)
        guard augmentation != nil else { return cachedLogits }
        try teacher.forward()
        return teacher.logits
    }
}
