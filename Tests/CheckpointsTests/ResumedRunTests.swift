import Networks
import Numerics
import Testing
import Training

@testable import Checkpoints
@testable import Distillation

/// A run that was saved and goes on elsewhere ends in the same bytes as one that was not.
struct ResumedRunTests {
    typealias Source = DistillationOptions.ImageSourceKind
    typealias Gradients = DistillationOptions.GradientKind

    /// With dropout, whose masks are drawn step by step too, and batch normalisation, whose statistics run.
    private static let student: Graph = {
        var graph = Graph("student", input: [64])
        graph.add(.linear, "fc1", ["outputs": 16])
        graph.add(.batchNorm, "norm")
        graph.feature = graph.add(.relu)
        graph.add(.dropout, ["rate": 0.2])
        graph.add(.linear, "fc2", ["outputs": 4])
        return graph
    }()

    private static func options(_ preset: Preset, _ change: (inout DistillationOptions) -> Void) -> DistillationOptions {
        var options = preset.options
        (options.threads, options.steps, options.batchSize, options.studentSteps) = (1, 1000, 16, 2)
        (options.generator, options.generatorWidth, options.latentSize) = (.convolution, 4, 8)
        if preset == .fast { (options.replayCapacity, options.restartSteps) = (64, 3) }
        (options.givenStudent, options.studentDropout, options.mimicWeight) = (.graph(student), 1, 0.1)
        change(&options)
        return options
    }

    /// All that a host can see of a run, as numbers.
    private static func numbers(_ distillation: Distillation) throws -> [Float] {
        func weights(_ network: Network) -> [Float] {
            network.parameters.flatMap { parameter in (0..<parameter.value.count).map { parameter.value[$0] } }
        }
        let made = try Tensor([8, 64])
        try distillation.generate(count: 8, images: made.pointer, logits: nil)
        let progress = distillation.progress
        return weights(try distillation.selectedStudent()) + weights(distillation.student)
            + (try distillation.exportedGenerator().map(weights) ?? []) + (0..<made.count).map { made[$0] }
            + [
                progress.agreement, progress.distillationLoss, progress.holdoutAgreement.isNaN ? -1 : progress.holdoutAgreement,
                progress.losses.total, Double(progress.step), Double(progress.teacherCalls), Double(progress.teacherImages),
                Double(progress.collapses),
            ].map(Float.init)
    }

    /// Saved to memory and brought back.
    private static func resumed(
        _ distillation: Distillation, _ teacher: any Teacher, _ answers: Answers, _ options: DistillationOptions
    ) throws -> Distillation {
        let size = try distillation.save(to: UnsafeMutableRawBufferPointer(start: nil, count: 0))
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 1)
        defer { memory.deallocate() }
        #expect(try distillation.save(to: memory) == size)
        let checkpoint = try Checkpoint(borrowing: UnsafeRawBufferPointer(memory))
        var given = options
        // What a file does hold is not asked for again.
        (given.seed, given.studentLearningRate, given.givenStudent, given.steps) = (77, 3, nil, 2)
        return try checkpoint.resume(teacher: teacher, answers: answers, checkpoint.options(given)) { _, _ in }
    }

    private static func expectSame(
        _ options: DistillationOptions, steps: Int, savingAfter: Set<Int>, disturbing: Bool = false, answers: Answers = .automatic,
        _ makeTeacher: () throws -> any Teacher
    ) throws {
        let calm = try Distillation(teacher: makeTeacher(), answers: answers, options)
        for _ in 0..<steps { try calm.step() }

        var teacher = try makeTeacher()
        var run = try Distillation(teacher: teacher, answers: answers, options)
        for step in 0..<steps {
            if disturbing, let stopping = teacher as? StoppingTeacher {
                stopping.callsLeft = step % 3
                do { try run.step() } catch is CallbackStop {
                    stopping.callsLeft = nil
                    run.cancellation.cancel()
                    #expect(throws: DaflError.self) { try run.step() }
                    run.cancellation.clear()
                    run = try resumed(run, teacher, answers, options)
                    try run.step()
                }
                stopping.callsLeft = nil
            } else {
                try run.step()
            }
            if savingAfter.contains(step + 1) {
                teacher = try makeTeacher()
                run = try resumed(run, teacher, answers, options)
                #expect(run.progress.step == step + 1)
            }
        }
        var (wanted, found) = (try numbers(calm), try numbers(run))
        if disturbing {  // what was queried in vain counts too
            for i in [wanted.count - 2, wanted.count - 3] { (wanted[i], found[i]) = (0, 0) }
        }
        #expect(wanted == found)
    }

    @Test(arguments: [Source.auto, .generator, .noise, .data, .metadata, .procedural], [Gradients.auto, .student, .differences])
    func everySourceGoesOn(source: Source, gradients: Gradients) throws {
        // Metadata needs gradients by features, which the student has none of.
        if source == .metadata, gradients == .student { return }
        let (means, deviations, images) = (try Tensor([16]), try Tensor([16]), try Tensor([23, 64]))
        for i in 0..<images.count { images[i] = Float(i % 13) / 6 - 1 }
        let labels = [Int64](0..<23).map { $0 % 4 }
        try labels.withUnsafeBufferPointer { labels in
            let options = Self.options(.fast) {
                ($0.imageSource, $0.gradients) = (source, gradients)
                if source == .metadata {
                    $0.metadata = FeatureMetadata(means: means.pointer, deviations: deviations.pointer, groups: 1)
                    $0.metadataSteps = 2
                }
                if source == .data {
                    $0.data = ImageData(images: images.pointer, labels: labels.baseAddress, count: 23)
                    $0.labelWeight = 0.5
                }
            }
            // Every 25th step is held out, and from the 41st on images are generated too.
            let isAuto = source == .auto
            for disturbing in [false, true] {
                try Self.expectSame(
                    options, steps: isAuto ? 53 : 29, savingAfter: isAuto ? [0, 24, 25, 40, 41, 42, 50] : [1, 2, 7, 24, 25, 26],
                    disturbing: disturbing) { try StoppingTeacher() }
            }
        }
    }

    @Test(arguments: [Preset.fast, .paper], [1, 2, 3])
    func everyPresetAndTeacherGoesOn(preset: Preset, threads: Int) throws {
        for answers in [Answers.automatic, .labels] {
            let options = Self.options(preset) { ($0.threads, $0.mimicWeight, $0.imageSource) = (threads, 0, .generator) }
            try Self.expectSame(options, steps: 12, savingAfter: [5, 6], answers: answers) { try StoppingTeacher() }
        }
        let options = Self.options(preset) { ($0.threads, $0.imageSource) = (threads, .auto) }
        try Self.expectSame(options, steps: 44, savingAfter: [43]) {
            NetworkTeacher(try Network(architecture: "mlp-64-16-4", seed: 1))
        }
    }

    /// A student that starts with its teacher's weights learns from refined pictures, and beside the answers from what layers make
    /// of them; saved and resumed with the options of the file alone.
    @Test func studentsThatStartWithTheirTeachersWeightsGoOn() throws {
        var graph = Graph("teacher", input: [3, 8, 8])
        graph.add(.convolution, "conv1", ["outputs": 8, "kernel": 3, "padding": 1])
        graph.add(.relu)
        graph.add(.convolution, "conv2", ["outputs": 8, "kernel": 3, "padding": 1])
        graph.add(.relu)
        graph.add(.globalAveragePool)
        graph.add(.linear, "fc", ["outputs": 4])
        func teacher() throws -> NetworkTeacher {
            let network = try Network(graph)
            var random = Philox(seed: 5, stream: .weights)
            network.initialise(&random)
            return NetworkTeacher(network)
        }
        var options = Preset.fast.options
        (options.student, options.threads, options.steps, options.batchSize, options.studentSteps) = ("half", 1, 1000, 16, 2)
        options.replayCapacity = 64
        func images(_ run: Distillation) throws -> [Float] {
            let made = try Tensor([8, 192])
            try run.generate(count: 8, images: made.pointer, logits: nil)
            return (0..<made.count).map { made[$0] }
        }
        func weights(_ run: Distillation) -> [Float] {
            run.student.parameters.flatMap { parameter in (0..<parameter.value.count).map { parameter.value[$0] } }
        }
        let whole = try Distillation(teacher: teacher(), answers: .logits, options)
        var run = try Distillation(teacher: teacher(), answers: .logits, options)
        for step in 0..<5 {
            try whole.step()
            try run.step()
            if step < 3 { run = try Self.resumed(run, teacher(), .logits, options) }
        }
        #expect(weights(run) == weights(whole))
        #expect(try images(run) == images(whole))
    }

    /// Which are given as an array that need not live as long as the run.
    @Test func unitsGoOn() throws {
        func options(_ use: (DistillationOptions) throws -> Void) throws {
            let (means, deviations) = (try Tensor([64]), try Tensor([64]))
            means.fill(5)
            deviations.fill(3)
            try use(
                Self.options(.fast) {
                    $0.imageSource = .generator
                    $0.inputStatistics = InputStatistics(means: means.pointer, deviations: deviations.pointer, count: 64)
                })
        }
        try options { try Self.expectSame($0, steps: 9, savingAfter: [4, 5]) { try StoppingTeacher() } }
    }

    @Test func queriesAreCountedOn() throws {
        let options = Self.options(.fast) { ($0.imageSource, $0.maxTeacherQueries) = (.generator, 2000) }
        let teacher = try StoppingTeacher()
        var run = try Distillation(teacher: teacher, options)
        let examined = run.progress.teacherImages
        try run.step()
        run = try Self.resumed(run, teacher, .automatic, options)
        #expect(run.progress.teacherImages > examined)
        let error = #expect(throws: DaflError.self) { while true { try run.step() } }
        #expect(error?.status == .queriesSpent)
        #expect((1900...2000).contains(run.progress.teacherImages))
        let spent = run.progress.step
        run = try Self.resumed(run, teacher, .automatic, options)
        #expect(throws: DaflError.self) { try run.step() }
        #expect(run.progress.step == spent)
    }
}
