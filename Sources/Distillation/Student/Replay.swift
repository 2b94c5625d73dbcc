import Numerics

/// What the student learns from when it does not learn from the generator's own batch: images of the bank, altered a
/// little, with the teacher's answer to what they are then.
final class Replay: Persistent {
    private let bank: ReplayBank
    private let images: Batch
    private let rows: Tensor  // [n, image]
    private let cachedLogits: Batch
    private let augmentation: Augmentation?
    /// To be asked again about altered images, and where features are wanted, which the bank does not keep; else nil.
    private let teacher: (any TeacherPass)?
    private let compute: Compute
    private var random: Philox
    private static let automaticCapacity = 409_600

    /// nil when the options ask for no bank.
    /// - Parameters:
    ///   - images: where `draw` writes.
    ///   - archive: of a run that goes on, whose bank it is to have; nil for a new one.
    /// - Throws: `outOfMemory` with the capacity that there would be memory for.
    init?(
        _ teacher: any Teacher, images: Batch, _ options: DistillationOptions, _ compute: Compute, from archive: Archive?,
        log: (LogLevel, String) -> Void
    ) throws {
        guard options.replayCapacity != 0 else { return nil }
        bank = try Self.bank(teacher, images: images, options, from: archive, log: log)
        self.images = images
        rows = try Tensor([images.samples, images.elements])
        cachedLogits = try Batch(samples: images.samples, shape: Shape([teacher.classes]))
        // Noise is noise from every side.
        augmentation = try Augmentation(
            strength: options.imageSource == .noise ? 0 : options.augmentation,
            negatives: options.imageSource == .generator, samples: images.samples,
            image: options.generator.image(of: teacher.inputShape))
        let asksAgain = augmentation != nil || options.mimicWeight > 0
        self.teacher = asksAgain ? try teacher.plan(images, gradients: false, compute) : nil
        self.compute = compute
        random = Philox(seed: options.ownSeed, stream: .replay)
    }

    /// The bank that the options ask for, or the largest for which half of the memory has room.
    private static func bank(
        _ teacher: any Teacher, images: Batch, _ options: DistillationOptions, from archive: Archive?,
        log: (LogLevel, String) -> Void
    ) throws -> ReplayBank {
        let bytes = ReplayBank.bytesPerImage(images.shape, classes: teacher.classes)
        let fitting = MemoryLimit.process.available / 2 / bytes
        let isChosen = options.replayCapacity < 0
        var capacity = isChosen ? max(images.samples, min(automaticCapacity, fitting)) : options.replayCapacity
        archive?.whole(
            "capacity", &capacity, in: isChosen ? images.samples...max(images.samples, automaticCapacity) : capacity...capacity)
        try archive?.check()
        do {
            let bank = try ReplayBank(
                capacity: capacity, batchSize: images.samples, image: images.shape, classes: teacher.classes,
                keepsLabels: options.data?.labels != nil)
            if isChosen, archive == nil, capacity < automaticCapacity {
                log(
                    .info, "the replay bank has room for \(capacity) images in place of \(automaticCapacity), which would take more "
                        + "than half of the memory that there is")
            }
            return bank
        } catch let error as DaflError where error.status == .outOfMemory {
            throw DaflError(
                .outOfMemory, "replay_capacity is \(capacity), which takes \(capacity * bytes / 1_000_000) MB; there is memory for "
                    + "\(max(fitting, 0)): \(error)")
        }
    }

    func persist(_ archive: Archive) {
        var capacity = bank.capacity
        archive.whole("capacity", &capacity, in: capacity...capacity)
        archive.random("draws", &random)
        archive.part("bank", bank)
    }

    func add(_ batch: Batch, _ targets: Targets) {
        bank.add(batch, targets, compute)
    }

    /// Writes images to the student's batch and returns what it is to answer for them.
    func draw() throws -> Targets {
        let labels = bank.draw(&random, images: rows, logits: cachedLogits, compute)
        augmentation?.apply(&random, rows, compute)
        images.load(rows: rows.pointer, compute)
        guard let teacher else { return Targets(logits: cachedLogits, labels: labels) }
        try teacher.forward()
        return Targets(teacher, labels: labels)
    }
}
