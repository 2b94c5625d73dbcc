import Networks
import Numerics
import Training

/// Images that bring the teacher's features to what its training data made of them (Lopes, Fenu and Starner 2017).
///
/// Each step starts from standard normal images x and, for each, draws a target from the metadata: a group's means plus its
/// deviations times standard normal numbers. Adam on the pixels then descends 1/(n F) sum_i norm2(f(x_i) - target_i)^2.
final class MetadataSource: ImageSource {
    let images: Batch
    private let metadata: FeatureMetadata
    private let wholeTeacher: any Teacher
    private let teacher: any TeacherPass
    private let features: Batch
    private let featureTargets: Batch
    /// The images once more, as a weight to be trained.
    private let pixels: Parameter
    private let optimizer: Adam
    private let loss: GeneratorLoss
    private let options: DistillationOptions
    private let compute: Compute
    private var random: Philox

    /// - Throws: `invalidArgument` for a teacher without features or gradients by them, or metadata that are not finite;
    ///   `outOfMemory`.
    init(_ metadata: FeatureMetadata, _ teacher: any Teacher, _ options: DistillationOptions, _ compute: Compute) throws {
        images = try Batch(samples: options.batchSize, shape: teacher.inputShape)
        let pass = try teacher.plan(images, gradients: true, compute)
        guard let features = pass.features, pass.featuresGradient != nil else {
            throw DaflError.invalid(
                "image_source", "\"metadata\"",
                "another for a teacher without features, or without gradients by them: gradients must be \"teacher\" or "
                    + "\"differences\"")
        }
        try metadata.validate(features: features.elements)
        self.metadata = metadata
        wholeTeacher = teacher
        self.teacher = pass
        self.features = features
        featureTargets = try Batch(samples: options.batchSize, shape: features.shape)
        pixels = try Parameter(name: "pixels", shape: [images.count], initial: .kept)
        optimizer = try Adam([pixels], compute)
        loss = try GeneratorLoss(options.lossWeights, samples: options.batchSize, classes: teacher.classes, compute)
        self.options = options
        self.compute = compute
        random = Philox(seed: options.ownSeed, stream: .noise)
    }

    func persist(_ archive: Archive) {
        archive.random("noise", &random)
        archive.part("teacher", teacher)
    }

    var targets: Targets { Targets(teacher) }

    func next() throws -> GeneratorLoss.Value {
        try reconstruct(&random)
        return try loss.evaluate(logits: teacher.logits, features: features, logitsGradient: nil, featuresGradient: nil)
    }

    private func reconstruct(_ random: inout Philox) throws {
        random.fillNormal(images)
        drawTargets(&random)
        pixels.value.load(images.pointer)
        optimizer.reset()
        for _ in 0..<options.metadataSteps {
            try teacher.forward()
            writeFeaturesGradient()
            try teacher.backward()
            guard let dx = teacher.imagesGradient else { return }
            pixels.gradient?.load(dx.pointer)
            optimizer.step(learningRate: options.generatorLearningRate)
            images.pointer.update(from: pixels.value.pointer, count: images.count)
            guard images.isFinite else {
                throw DaflError(.diverged, "pixels are no longer finite; try a smaller generator_learning_rate")
            }
        }
        try teacher.forward()
    }

    private func drawTargets(_ random: inout Philox) {
        for i in 0..<featureTargets.samples {
            let row = random.next(below: metadata.groups) * featureTargets.elements
            for k in 0..<featureTargets.elements {
                featureTargets[i, k] = metadata.means[row + k] + metadata.deviations[row + k] * random.nextNormal()
            }
        }
    }

    private func writeFeaturesGradient() {
        guard let gradient = teacher.featuresGradient else { return }
        let share = 2 / (Float(features.samples) * Float(features.elements))
        for i in 0..<features.samples {
            for k in 0..<features.elements { gradient[i, k] = share * (features[i, k] - featureTargets[i, k]) }
        }
    }

    /// Makes whole batches, whatever the count, in a source of its own: finite differences draw random numbers too, and those
    /// of later steps must stay as they are.
    func sample(_ random: inout Philox, count: Int, rows: UnsafeMutablePointer<Float>) throws {
        let sampler = try MetadataSource(metadata, wholeTeacher, options, compute)
        let batch = sampler.images
        for i in 0..<count {
            if i % batch.samples == 0 { try sampler.reconstruct(&random) }
            for e in 0..<batch.elements { rows[i * batch.elements + e] = batch[i % batch.samples, e] }
        }
    }
}
