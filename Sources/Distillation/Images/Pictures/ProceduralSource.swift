import Numerics
import Training

/// `ProceduralPictures` that the teacher is sure of, balanced over its classes: for teachers whose gradients lead a generator
/// astray, as those with batch normalisation and a global mean do.
///
/// A step draws several times as many pictures as it needs, asks the teacher about all, and keeps as many of each class as there
/// are, those first that the teacher is surest of. Of labels, which are all as sure, the first come. No gradients are asked for.
final class ProceduralSource: ImageSource {
    let images: Batch
    private let pictures: ProceduralPictures
    private let candidates: Batch  // n of them at a time
    private let teacher: any TeacherPass
    private let rows: Tensor  // [n, image]
    private let logits: Tensor  // [candidates, K]
    private let features: Tensor?  // [candidates, F]
    private let picks: Indices
    private let balance: ClassBalance
    private let keptLogits: Batch
    private let keptFeatures: Batch?
    private let loss: GeneratorLoss
    private let seed: UInt64
    private let compute: Compute
    /// Batches of candidates so far.
    private var drawn = 0

    /// Candidates for each picture that is kept.
    let choice: Int

    /// Sixteen, or as many as the queries of a run allow beside those about altered images and a twentieth for its beginning and
    /// for `HoldoutAgreement`.
    static func choice(_ options: DistillationOptions) -> Int {
        guard options.maxTeacherQueries > 0 else { return 16 }
        let (images, overflow) = options.steps.multipliedReportingOverflow(by: options.batchSize)
        guard !overflow else { return 1 }
        let ofAStep = (options.maxTeacherQueries - options.maxTeacherQueries / 20) / images
        return min(16, max(1, ofAStep - (options.asksAgain ? options.studentSteps : 0)))
    }

    /// What it draws for a teacher's inputs; nil where they are no images of 4 pixels to a side or more.
    static func image(of input: Shape, _ options: DistillationOptions) -> (channels: Int, height: Int, width: Int)? {
        options.generator.image(of: input).flatMap { min($0.height, $0.width) >= 4 ? $0 : nil }
    }

    /// - Throws: `unsupported` when the teacher's inputs are no images of 4 pixels to a side or more, `outOfMemory`.
    init(_ teacher: any Teacher, _ units: TeacherUnits?, _ options: DistillationOptions, _ compute: Compute) throws {
        let input = teacher.inputShape
        guard let image = Self.image(of: input, options) else {
            throw DaflError(
                .unsupported,
                "image_source \"procedural\" draws images of at least 4 x 4 pixels, and vectors that generator \"convolution\" or "
                    + "\"auto\" takes for such; for the teacher's input_shape \(input) use \"generator\"")
        }
        choice = Self.choice(options)
        let (n, classes) = (options.batchSize, teacher.classes)
        pictures = try ProceduralPictures(image, standardised: units?.standardisedRange, compute)
        candidates = try Batch(samples: n, shape: input)
        images = try Batch(samples: n, shape: input)
        self.teacher = try teacher.plan(candidates, gradients: false, compute)
        rows = try Tensor([n, input.count])
        logits = try Tensor([choice * n, classes])
        features = teacher.features > 0 ? try Tensor([choice * n, teacher.features]) : nil
        picks = try Indices(count: n)
        balance = try ClassBalance(candidates: choice * n, classes: classes)
        keptLogits = try Batch(samples: n, shape: Shape([classes]))
        keptFeatures = teacher.features > 0 ? try Batch(samples: n, shape: Shape([teacher.features])) : nil
        loss = try GeneratorLoss(options.lossWeights, samples: n, classes: classes, compute)
        seed = options.ownSeed
        self.compute = compute
    }

    func persist(_ archive: Archive) {
        archive.whole("drawn", &drawn, in: 0...HoldoutAgreement.firstPicture / images.samples)
    }

    var targets: Targets { Targets(logits: keptLogits, features: keptFeatures) }

    func next() throws -> GeneratorLoss.Value {
        let n = picks.count, first = drawn * n
        drawn += choice
        for part in 0..<choice {
            pictures.draw(seed: seed, first: first + part * n, count: n, rows: rows.pointer)
            candidates.load(rows: rows.pointer, compute)
            try teacher.forward()
            teacher.logits.store(rows: logits.pointer + part * n * keptLogits.elements, compute)
            if let features, let new = teacher.features {
                new.store(rows: features.pointer + part * n * new.elements, compute)
            }
        }
        balance.keep(picks, logits: logits, first: drawn / choice % keptLogits.elements)
        // To draw them once more takes less than to keep them all.
        pictures.draw(seed: seed, first: first, picks: picks, rows: rows.pointer)
        images.load(rows: rows.pointer, compute)
        keptLogits.load(rows: logits.pointer, picks: picks.pointer, compute)
        if let features { keptFeatures?.load(rows: features.pointer, picks: picks.pointer, compute) }
        return try loss.evaluate(logits: keptLogits, features: keptFeatures, logitsGradient: nil, featuresGradient: nil)
    }

    /// As drawn, before the teacher chooses: to look at pictures is no question to it.
    func sample(_ random: inout Philox, count: Int, rows: UnsafeMutablePointer<Float>) throws {
        let seed = random.nextSeed()
        pictures.draw(seed: seed, first: 0, count: count, rows: rows)
    }
}
