import Numerics

/// Standard normal images: the paper's baseline, which a generator has to beat.
final class NoiseSource: ImageSource {
    let images: Batch
    private let teacher: any TeacherPass
    private let loss: GeneratorLoss
    private let compute: Compute
    private var random: Philox

    init(_ teacher: any Teacher, _ options: DistillationOptions, _ compute: Compute) throws {
        images = try Batch(samples: options.batchSize, shape: teacher.inputShape)
        self.teacher = try teacher.plan(images, gradients: false, compute)
        loss = try GeneratorLoss(options.lossWeights, samples: options.batchSize, classes: teacher.classes, compute)
        self.compute = compute
        random = Philox(seed: options.ownSeed, stream: .noise)
    }

    func persist(_ archive: Archive) { archive.random("noise", &random) }

    var targets: Targets { Targets(teacher) }

    func next() throws -> GeneratorLoss.Value {
        random.fillNormal(images)
        try teacher.forward()
        return try loss.evaluate(logits: teacher.logits, features: teacher.features, logitsGradient: nil, featuresGradient: nil)
    }

    func sample(_ random: inout Philox, count: Int, rows: UnsafeMutablePointer<Float>) throws {
        let batch = try Batch(samples: count, shape: images.shape)
        random.fillNormal(batch)
        batch.store(rows: rows, compute)
    }
}
