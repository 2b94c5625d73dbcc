import Networks
import Numerics
import Testing
import Training

@testable import Distillation

/// Images of the host's in the generator's place.
struct ImageDataTests {
    private let compute: Compute
    private let teacher: CrookedTeacher
    /// 40 images of one number each, their place, whose class is that modulo 4.
    private let images: Tensor
    private let labels: [Int64]

    init() throws {
        compute = try Compute(threads: 1)
        teacher = try CrookedTeacher("mlp-64-16-4", .none)
        images = try Tensor([40, 64])
        for i in 0..<40 {
            for e in 0..<64 { images[i * 64 + e] = Float(i) }
        }
        labels = (0..<40).map { Int64($0 % 4) }
    }

    private func options(_ labels: UnsafePointer<Int64>?) -> DistillationOptions {
        var options = Preset.fast.options
        options.student = "mlp-64-16-4"
        options.threads = 1
        options.batchSize = 10
        options.imageSource = .data
        options.data = ImageData(images: images.pointer, labels: labels, count: 40)
        return options
    }

    @Test func everyPassShowsEachImageOnceWithItsLabel() throws {
        try labels.withUnsafeBufferPointer { labels in
            let options = options(labels.baseAddress)
            let source = try DataSource(try #require(options.data), nil, teacher, options, compute)
            var orders: [[Int]] = []
            for _ in 0..<3 {
                var seen: [Int] = []
                for _ in 0..<4 {
                    _ = try source.next()
                    let places = (0..<10).map { Int(source.images[$0, 63]) }
                    #expect(try #require(source.targets.labels?.array) == places.map { $0 % 4 })
                    seen += places
                }
                #expect(seen.sorted() == Array(0..<40))
                orders.append(seen)
            }
            #expect(orders[0] != orders[1] && orders[1] != orders[2])
        }
    }

    /// The teacher takes everything for the first class; the labels say otherwise.
    @Test(arguments: [0.0, 1.0]) func theLabelsCountAsMuchAsIsAsked(weight: Double) throws {
        let teacher = try CrookedTeacher("mlp-64-16-4", .oneClass)
        var random = Philox(seed: 3, stream: .check)
        for i in 0..<40 {
            for e in 0..<64 { images[i * 64 + e] = 0.1 * random.nextNormal() + (e % 4 == i % 4 ? 1 : 0) }
        }
        try labels.withUnsafeBufferPointer { labels in
            var options = options(labels.baseAddress)
            (options.labelWeight, options.replayCapacity, options.studentSteps) = (weight, 0, 1)
            options.steps = 120
            let distillation = try Distillation(teacher: teacher, options)
            for _ in 0..<120 { try distillation.step() }
            let predictor = try Predictor(distillation.student, compute)
            let accuracy = try predictor.accuracy(rows: images.pointer, labels: try #require(labels.baseAddress), count: 40)
            #expect(weight == 1 ? accuracy > 0.95 : accuracy == 0.25)
        }
    }

    /// Half of each loss makes half of each gradient: the loss that is descended is the sum that is documented.
    @Test func theGradientIsThatOfBothLosses() throws {
        let (t, s) = (try Batch(samples: 10, shape: Shape([4])), [0, 1, 2, 3, 0, 1, 2, 3, 0, 1])
        var random = Philox(seed: 5, stream: .check)
        random.fillNormal(t)
        func firstChange(_ labelWeight: Double) throws -> [Float] {
            var options = options(nil)
            options.labelWeight = labelWeight
            let student = try Network(architecture: "mlp-64-4", seed: 2)
            let training = try StudentTraining(student, of: teacher, options, compute)
            var random = Philox(seed: 6, stream: .check)
            random.fillNormal(training.images)
            _ = try training.step(Targets(logits: t, labels: try Indices(s)), learningRate: 0)
            return try #require(student.parameter(named: "fc1.weight")?.gradient).numbers
        }
        let (distillation, half, labels) = (try firstChange(0), try firstChange(0.5), try firstChange(1))
        #expect(distillation != labels)
        for i in half.indices { #expect(abs(half[i] - (distillation[i] + labels[i]) / 2) < 1e-6) }
    }

    /// All images of data are learned from, so none are held out, and the last student is handed out.
    @Test func everyStepOfDataTeaches() throws {
        var options = options(nil)
        (options.replayCapacity, options.studentSteps) = (0, 1)
        let distillation = try Distillation(teacher: teacher, options)
        for _ in 0..<24 { try distillation.step() }
        let before = distillation.student.parameters[0].value.numbers
        try distillation.step()
        #expect(distillation.student.parameters[0].value.numbers != before)
        #expect(try DistillationTests.weights(distillation.selectedStudent()) == DistillationTests.weights(distillation.student))
    }

    @Test func labelsThatAreNoClassesAreRefused() throws {
        for wrong: Int64 in [-1, 4, .max] {
            var labels = labels
            labels[39] = wrong
            try labels.withUnsafeBufferPointer { labels in
                let error = try #require(throws: DaflError.self) {
                    try Distillation(teacher: teacher, options(labels.baseAddress))
                }
                #expect(error.status == .invalidArgument && error.description.contains("labels[39]"))
            }
        }
        images[39 * 64 + 5] = .infinity
        let error = try #require(throws: DaflError.self) { try Distillation(teacher: teacher, options(nil)) }
        #expect(error.description.contains("image 39"))
    }

    /// Its gradients are the teacher's own, checked, or differences; the student's know nothing of the teacher's features.
    @Test func metadataNeedGradientsByFeatures() throws {
        let rows = try Tensor([1, 16])
        var options = options(nil)
        options.imageSource = .metadata
        options.metadata = FeatureMetadata(means: rows.pointer, deviations: rows.pointer, groups: 1)
        options.metadataSteps = 1
        for gradients in [DistillationOptions.GradientKind.auto, .teacher, .differences] {
            options.gradients = gradients
            let distillation = try Distillation(teacher: teacher, options)
            try distillation.step()
        }
        options.gradients = .student
        let error = try #require(throws: DaflError.self) { try Distillation(teacher: teacher, options) }
        #expect(error.status == .invalidArgument && error.description.contains("metadata"))
        options.gradients = .auto
        let wrong = try CrookedTeacher("mlp-64-16-4", .forgetsFeatures)
        let refused = try #require(throws: DaflError.self) { try Distillation(teacher: wrong, options) }
        #expect(refused.status == .teacher)
    }

    /// Images are reached whose features lie where the metadata say, from noise whose features do not.
    @Test func metadataAreReproduced() throws {
        let (means, deviations) = (try Tensor([2, 16]), try Tensor([2, 16]))
        // What two images of the teacher's world make of its features.
        let known = try Batch(samples: 2, shape: Shape([64]))
        var random = Philox(seed: 8, stream: .check)
        random.fillNormal(known)
        for i in 0..<known.count { known.pointer[i] *= 3 }
        let pass = try teacher.plan(known, gradients: false, compute)
        try pass.forward()
        let features = try #require(pass.features)
        for group in 0..<2 { for k in 0..<16 { means[group * 16 + k] = features[group, k] } }

        var options = options(nil)
        options.imageSource = .metadata
        options.metadata = FeatureMetadata(means: means.pointer, deviations: deviations.pointer, groups: 2)
        options.generatorLearningRate = 0.05
        func distance(steps: Int) throws -> Float {
            options.metadataSteps = steps
            let source = try MetadataSource(try #require(options.metadata), teacher, options, compute)
            _ = try source.next()
            let f = try #require(source.targets.features)
            // To the nearer of both groups, since each image has drawn one of them.
            return (0..<10).reduce(0) { sum, i in
                sum + (0..<2).map { group in
                    (0..<16).reduce(Float(0)) { $0 + (f[i, $1] - means[group * 16 + $1]) * (f[i, $1] - means[group * 16 + $1]) }
                }.min()!
            }
        }
        let (noise, reconstruction) = (try distance(steps: 1), try distance(steps: 200))
        // A unit that noise leaves silent has no slope to be led by, so the targets are not all reached.
        #expect(reconstruction < 0.6 * noise)
    }
}

extension Tensor {
    var numbers: [Float] { (0..<count).map { self[$0] } }
}
