import Numerics

/// The host's own images, each once in every pass over them in an order drawn anew: ordinary knowledge distillation, and
/// with labels alone ordinary training, for those who have data or want to compare.
final class DataSource: ImageSource {
    let images: Batch
    private let data: ImageData
    private let teacher: any TeacherPass
    private let loss: GeneratorLoss
    private let compute: Compute
    private var random: Philox
    private var order: [Int] = []
    private var picks: [Int]

    /// - Throws: `invalidArgument` for labels that are no classes or numbers that are not finite, `outOfMemory`.
    init(_ data: ImageData, _ teacher: any Teacher, _ options: DistillationOptions, _ compute: Compute) throws {
        try data.validate(image: teacher.inputShape, classes: teacher.classes)
        self.data = data
        images = try Batch(samples: options.batchSize, shape: teacher.inputShape)
        self.teacher = try teacher.plan(images, gradients: false, compute)
        loss = try GeneratorLoss(options.lossWeights, samples: options.batchSize, classes: teacher.classes, compute)
        self.compute = compute
        random = Philox(seed: options.seed, stream: .order)
        picks = Array(repeating: 0, count: options.batchSize)
    }

    var targets: Targets {
        Targets(teacher, labels: data.labels.map { labels in picks.map { Int(labels[$0]) } })
    }

    func next() throws -> GeneratorLoss.Value {
        for i in picks.indices {
            if order.isEmpty { order = random.permutation(data.count) }
            picks[i] = order.removeLast()
        }
        images.load(rows: data.images, picks: picks, compute)
        try teacher.forward()
        return loss.evaluate(
            logits: teacher.logits, features: teacher.features, logitsGradient: nil, featuresGradient: nil)
    }

    func sample(_ random: inout Philox, count: Int, rows: UnsafeMutablePointer<Float>) throws {
        let elements = images.elements
        for i in 0..<count {
            let pick = random.next(below: data.count)
            (rows + i * elements).update(from: data.images + pick * elements, count: elements)
        }
    }
}
