import Networks
import Numerics

/// The host's own images, each once in every pass over them in an order drawn anew: ordinary knowledge distillation, and
/// with labels alone ordinary training, for those who have data or want to compare.
final class DataSource: ImageSource {
    let images: Batch
    private let data: ImageData
    private let teacher: any TeacherPass
    private let loss: GeneratorLoss
    private let compute: Compute
    /// From the host's units; nil when the images are standardised.
    private let standardising: Pass?
    private var random: Philox
    /// Gave the order that the images now come in.
    private var ordering: Philox
    private var orders = 0
    /// Of the order.
    private var left = 0
    private let order: Indices
    private let picks: Indices
    private let labels: Indices?

    /// - Throws: `invalidArgument` for labels that are no classes or numbers that are not finite, `outOfMemory`.
    init(
        _ data: ImageData, _ units: InputUnits?, _ teacher: any Teacher, _ options: DistillationOptions, _ compute: Compute
    ) throws {
        try data.validate(image: teacher.inputShape, classes: teacher.classes)
        self.data = data
        let given = try Batch(samples: options.batchSize, shape: teacher.inputShape)
        standardising = try units.map {
            try Pass(Network(scaling: teacher.inputShape, $0, .standardising), input: given, compute)
        }
        images = standardising?.output ?? given
        self.teacher = try teacher.plan(images, gradients: false, compute)
        loss = try GeneratorLoss(options.lossWeights, samples: options.batchSize, classes: teacher.classes, compute)
        self.compute = compute
        random = Philox(seed: options.ownSeed, stream: .order)
        ordering = random
        order = try Indices(count: data.count)
        picks = try Indices(count: options.batchSize)
        labels = data.labels == nil ? nil : try Indices(count: options.batchSize)
    }

    /// The order itself may be long, and is drawn again where it is another.
    func persist(_ archive: Archive) {
        let shown = orders
        archive.random("random", &random)
        archive.random("ordering", &ordering)
        archive.whole("orders", &orders, in: Archive.counts)
        archive.whole("left", &left, in: 0...order.count)
        guard archive.isRestoring, orders != shown else { return }
        var random = ordering
        random.permute(order)
    }

    var targets: Targets { Targets(teacher, labels: labels) }

    func next() throws -> GeneratorLoss.Value {
        for i in 0..<picks.count {
            if left == 0 {
                ordering = random
                random.permute(order)
                left = order.count
                orders += 1
            }
            left -= 1
            picks[i] = order[left]
            if let all = data.labels { labels?[i] = Int(all[picks[i]]) }
        }
        (standardising?.input ?? images).load(rows: data.images, picks: picks.pointer, compute)
        standardising?.forward()
        try teacher.forward()
        return try loss.evaluate(
            logits: teacher.logits, features: teacher.features, logitsGradient: nil, featuresGradient: nil)
    }

    func sample(_ random: inout Philox, count: Int, rows: UnsafeMutablePointer<Float>) throws {
        let picks = try Indices(count: count)
        for i in 0..<count { picks[i] = random.next(below: data.count) }
        let given = try Batch(samples: count, shape: images.shape)
        given.load(rows: data.images, picks: picks.pointer, compute)
        let scaling = try standardising.map { try Pass($0.network, input: given, compute) }
        scaling?.forward()
        (scaling?.output ?? given).store(rows: rows, compute)
    }
}
