import Networks
import Numerics
import Training

/// The generator G, which learns to make images x = G(z) that the teacher takes for its own.
final class GeneratorSource: ImageSource {
    let network: Network
    let noise: Batch
    private let making: Pass
    private let teacher: any TeacherPass
    private let loss: GeneratorLoss
    private let optimizer: any Optimizer
    /// With which it learns together; nil for none.
    private let ranks: Ranks?
    private let options: DistillationOptions
    private let compute: Compute
    private var random: Philox
    /// Of this run's generators, the first is 0.
    private(set) var generation = 0
    private var stepsOfGeneration = 0

    /// - Throws: `unsupported` when the generator cannot make the teacher's input, `outOfMemory`.
    /// - Parameter isRestored: whether its state is about to be set: no weights are drawn then.
    init(
        _ teacher: any Teacher, _ options: DistillationOptions, isRestored: Bool = false, with ranks: Ranks? = nil,
        _ compute: Compute
    ) throws {
        self.ranks = options.generators == .shared ? ranks : nil
        network = try Network(architecture: Self.architecture(teacher.inputShape, options))
        noise = try Batch(samples: options.batchSize, shape: network.inputShape)
        making = try Pass(network, input: noise, gradients: .weights, compute)
        self.teacher = try teacher.plan(
            making.output, gradients: true, regularizerWeight: options.lossWeights.regularizer, compute)
        loss = try GeneratorLoss(options.lossWeights, samples: options.batchSize, classes: teacher.classes, compute)
        optimizer = try Adam(network.trainedParameters, compute)
        self.options = options
        self.compute = compute
        random = Philox(seed: options.ownSeed, stream: .noise)
        if !isRestored { drawWeights() }
    }

    var images: Batch { making.output }
    var targets: Targets { Targets(teacher) }
    var generator: GeneratorSource? { self }
    var generatesNow: Bool { true }

    func persist(_ archive: Archive) {
        archive.random("noise", &random)
        archive.whole("generation", &generation, in: Archive.counts)
        archive.whole("steps_of_generation", &stepsOfGeneration, in: Archive.counts)
        archive.part("network", network)
        archive.part("optimizer", optimizer)
        archive.part("teacher", teacher)
    }

    func next() throws -> GeneratorLoss.Value {
        if options.restartSteps > 0, stepsOfGeneration == options.restartSteps { restart() }
        random.fillNormal(noise)  // z ~ N(0, I)
        let value = try learn()
        stepsOfGeneration += 1
        return value
    }

    /// The generator's training step on `noise`: equations 1 to 4 of the paper, and R where there is one.
    func learn() throws -> GeneratorLoss.Value {
        making.forward(training: true)  // x = G(z)
        try Self.requireFinite(images)
        try teacher.forward()  // t, f = T(x)
        var value = try loss.evaluate(  // L_G = oh L_oh + a L_a + ie L_ie
            logits: teacher.logits, features: teacher.features,
            logitsGradient: teacher.logitsGradient, featuresGradient: teacher.featuresGradient) { try ranks?.average($0) }
        try teacher.backward()  // dL_G/dx, that of w R(x) too where the teacher has such
        value.regularizer = teacher.regularizer
        value.total += options.lossWeights.regularizer * value.regularizer
        if let dx = teacher.imagesGradient { making.outputGradient?.load(dx) }
        making.backward()
        try ranks?.average(network.averaged)
        optimizer.step(learningRate: options.generatorLearningRate)
        return value
    }

    /// A generator anew, with other weights, for images that the one before did not think of.
    func restart() {
        generation += 1
        stepsOfGeneration = 0
        drawWeights()
        optimizer.reset()
    }

    private func drawWeights() {
        let seed = ranks == nil ? options.ownSeed : options.seed
        var random = Philox(seed: seed, stream: .generatorWeights, substream: UInt32(truncatingIfNeeded: generation))
        network.initialise(&random)
    }

    /// Standardised as a step's images, by the statistics of a whole batch: the running ones lag behind a generator that learns
    /// so fast. On a copy, whose running statistics nobody reads.
    func sample(_ random: inout Philox, count: Int, rows: UnsafeMutablePointer<Float>) throws {
        let noise = try Batch(samples: options.batchSize, shape: network.inputShape)
        let pass = try Pass(network.copy(), input: noise, compute)
        let batch = try Tensor([options.batchSize, images.elements])
        for start in stride(from: 0, to: count, by: options.batchSize) {
            random.fillNormal(noise)
            pass.forward(training: true)
            try Self.requireFinite(pass.output)
            pass.output.store(rows: batch.pointer, compute)
            let samples = min(options.batchSize, count - start)
            (rows + start * images.elements).update(from: batch.pointer, count: samples * images.elements)
        }
    }

    /// A copy whose running statistics are those of the images that it makes now, so that alone it makes the same.
    func exported() throws -> Network {
        let copy = try network.copy()
        var random = Philox(seed: options.seed, stream: .samples)
        try copy.estimateStatistics(batches: 16, samples: options.batchSize, compute) { random.fillNormal($0) }
        return copy
    }

    private static func requireFinite(_ images: Batch) throws {
        guard images.isFinite else {
            throw DaflError(
                .diverged, "the generator makes images that are not finite; try a smaller generator_learning_rate")
        }
    }

    private static func architecture(_ input: Shape, _ options: DistillationOptions) throws -> String {
        let (kind, width) = (options.generator, options.generatorWidth)
        if kind != .perceptron, let (channels, rows, columns) = kind.image(of: input) {
            let size = rows == columns ? "side=\(rows)" : "rows=\(rows),columns=\(columns)"
            return "dafl-generator(latent=\(options.latentSize),\(size),channels=\(channels),width=\(width))"
        }
        guard kind != .convolution else {
            throw DaflError(
                .unsupported,
                "generator \"convolution\" makes images, and vectors that are a square image; for the teacher's input_shape "
                    + "\(input) use \"perceptron\" or \"auto\"")
        }
        return "dafl-vector-generator(latent=\(options.latentSize),outputs=\(input.count),width=\(8 * width))"
    }
}
