import Networks
import Numerics
import Testing
import Training

@testable import Distillation

/// What a distillation promises as a whole, with networks so small that a step takes no time.
struct DistillationTests {
    static func options(_ change: (inout DistillationOptions) -> Void = { _ in }) -> DistillationOptions {
        var options = Preset.fast.options
        options.student = "mlp-64-16-4"
        options.threads = 1
        options.steps = 6
        options.batchSize = 16
        options.studentSteps = 2
        options.replayCapacity = 64
        options.restartSteps = 0
        options.imageSource = .generator
        options.generator = .convolution
        options.generatorWidth = 4
        options.latentSize = 8
        change(&options)
        return options
    }

    private static func distillation(
        _ fault: CrookedTeacher.Fault = .none, _ options: DistillationOptions = options()
    ) throws -> Distillation {
        try Distillation(teacher: CrookedTeacher("mlp-64-16-4", fault), options)
    }

    static func weights(_ network: Network) -> [Float] {
        network.parameters.flatMap { parameter in (0..<parameter.value.count).map { parameter.value[$0] } }
    }

    @Test func theSameSeedGivesTheSameStudent() throws {
        func student(seed: UInt64, threads: Int) throws -> [Float] {
            let distillation = try Self.distillation(.none, Self.options { ($0.seed, $0.threads) = (seed, threads) })
            for _ in 0..<6 { try distillation.step() }
            return Self.weights(distillation.student)
        }
        for threads in [1, 3] {
            #expect(try student(seed: 1, threads: threads) == student(seed: 1, threads: threads))
        }
        #expect(try student(seed: 1, threads: 1) != student(seed: 2, threads: 1))
    }

    /// Where the student has dropout and is asked to drop: a student of its own for each seed, the same one again, and not that
    /// of who does not ask, whose bytes are those of a student without the layer.
    @Test func aStudentDropsIfAsked() throws {
        func graph(dropout: Bool) -> Graph {
            var graph = Graph("student", input: [64])
            graph.add(.linear, "fc1", ["outputs": 16])
            graph.add(.relu)
            if dropout { graph.add(.dropout, ["rate": 0.3]) }
            graph.add(.linear, "fc2", ["outputs": 4])
            return graph
        }
        func student(dropout: Bool, asked: Int, threads: Int = 1) throws -> [Float] {
            var told: [String] = []
            let options = Self.options {
                ($0.givenStudent, $0.studentDropout, $0.threads) = (.graph(graph(dropout: dropout)), asked, threads)
            }
            let distillation = try Distillation(teacher: CrookedTeacher("mlp-64-16-4", .none), options) { told.append($1) }
            #expect(told.contains { $0.contains("no dropout layer") } == (asked == 1 && !dropout))
            for _ in 0..<6 { try distillation.step() }
            return Self.weights(distillation.student)
        }
        let plain = try student(dropout: false, asked: 0)
        #expect(try student(dropout: true, asked: 0) == plain)
        #expect(try student(dropout: false, asked: 1) == plain)
        let dropped = try student(dropout: true, asked: 1)
        #expect(dropped != plain)
        #expect(try student(dropout: true, asked: 1) == dropped)
        #expect(try student(dropout: true, asked: 1, threads: 3) == student(dropout: true, asked: 1, threads: 3))
    }

    /// Also where images are made step by step, with random numbers of finite differences.
    @Test(arguments: [DistillationOptions.ImageSourceKind.generator, .metadata]) func lookingAtImagesChangesNothing(
        source: DistillationOptions.ImageSourceKind
    ) throws {
        let (means, deviations) = (try Tensor([16]), try Tensor([16]))
        let options = Self.options {
            $0.imageSource = source
            guard source == .metadata else { return }
            $0.metadata = FeatureMetadata(means: means.pointer, deviations: deviations.pointer, groups: 1)
            ($0.metadataSteps, $0.gradients) = (2, .differences)
        }
        let (quiet, curious) = (try Self.distillation(.none, options), try Self.distillation(.none, options))
        let images = try Tensor([300, 64])
        for _ in 0..<4 {
            try quiet.step()
            try curious.step()
            try curious.generate(count: 300, images: images.pointer, logits: nil)
        }
        #expect(Self.weights(quiet.student) == Self.weights(curious.student))
        #expect(images.isFinite)
        let (asked, logits) = (curious.progress.teacherImages, try Tensor([20, 4]))
        try curious.generate(count: 20, images: images.pointer, logits: logits.pointer)
        #expect(source == .metadata || curious.progress.teacherImages == asked + 20)
    }

    @Test func theStudentComesToAgree() throws {
        let distillation = try Self.distillation(
            .none, Self.options { ($0.steps, $0.studentSteps, $0.batchSize, $0.replayCapacity) = (60, 5, 64, 1024) })
        try distillation.step()
        let (loss, agreement) = (distillation.progress.distillationLoss, distillation.progress.agreement)
        for _ in 1..<60 { try distillation.step() }
        #expect(distillation.progress.distillationLoss < loss / 2)
        #expect(distillation.progress.agreement > agreement)
    }

    @Test func whatIsAskedInAStepThatFailsCountsToo() throws {
        let distillation = try Self.distillation(.none, Self.options { $0.maxTeacherQueries = 8 + 80 + 48 + 20 })
        try distillation.step()
        let asked = distillation.progress.teacherImages
        let error = try #require(throws: DaflError.self) { try distillation.step() }
        #expect(error.status == .queriesSpent)
        #expect(distillation.progress.step == 1 && distillation.progress.teacherImages == asked + 16)
    }

    /// Held-out images are for judging students, so none learns from them; to ask for the student changes nothing.
    @Test func heldOutBatchesTeachNobody() throws {
        let (quiet, curious) = (
            try Self.distillation(.none, Self.options { ($0.replayCapacity, $0.studentSteps) = (0, 1) }),
            try Self.distillation(.none, Self.options { ($0.replayCapacity, $0.studentSteps) = (0, 1) })
        )
        for _ in 0..<24 {
            try quiet.step()
            try curious.step()
            _ = try curious.selectedStudent()
        }
        let before = Self.weights(quiet.student)
        let loss = quiet.progress.distillationLoss
        try quiet.step()
        try curious.step()
        #expect(Self.weights(quiet.student) == before)
        #expect(quiet.progress.distillationLoss == loss)
        #expect(try Self.weights(quiet.selectedStudent()) == before)
        #expect(Self.weights(curious.student) == before)
    }

    @Test func aRestartMakesAnotherGenerator() throws {
        let distillation = try Self.distillation(
            .none, Self.options { ($0.restartSteps, $0.generatorLearningRate) = (2, 0) })
        func generatorWeights() throws -> [Float] {
            try distillation.step()
            // The running statistics change with every batch; the first layer's weights only when drawn anew.
            let first = try #require(distillation.generator?.parameter(named: "l1.weight"))
            return (0..<first.value.count).map { first.value[$0] }
        }
        let weights = try (0..<4).map { _ in try generatorWeights() }
        #expect(weights[0] == weights[1] && weights[2] == weights[3])
        #expect(weights[1] != weights[2])
    }

    /// With a student rate of zero at the schedule's end, the last steps change nothing.
    @Test func theScheduleIsTheStudents() throws {
        func change(_ schedule: Schedule) throws -> [Bool] {
            let distillation = try Self.distillation(.none, Self.options { ($0.studentSchedule, $0.steps) = (schedule, 2) })
            return try (0..<4).map { _ in
                let before = Self.weights(distillation.student)
                try distillation.step()
                return Self.weights(distillation.student) != before
            }
        }
        #expect(try change(.cosine) == [true, true, false, false])
        #expect(try change(.constant) == [true, true, true, true])
    }

    @Test func progressTellsTheTimeLeft() throws {
        let distillation = try Self.distillation()
        try distillation.step()
        let progress = distillation.progress
        #expect(progress.secondsElapsed > 0 && progress.imagesPerSecond > 0)
        #expect(abs(progress.secondsLeft - 5 * progress.secondsElapsed) < 1e-9)
        for _ in 1..<6 { try distillation.step() }
        #expect(distillation.progress.secondsLeft == 0)
    }

    @Test func noiseIsNotAltered() throws {
        func queries(_ source: DistillationOptions.ImageSourceKind) throws -> Int {
            let distillation = try Self.distillation(.none, Self.options { $0.imageSource = source })
            let before = distillation.progress.teacherImages
            try distillation.step()
            return distillation.progress.teacherImages - before
        }
        #expect(try queries(.noise) == 16)
        #expect(try queries(.generator) == 16 * 3)
    }

    @Test func aStudentThatLeavesTheNumbersIsFound() throws {
        let distillation = try Self.distillation()
        try #require(distillation.student.parameter(named: "fc1.weight")).value[0] = .infinity
        let error = try #require(throws: DaflError.self) { try distillation.step() }
        #expect(error.status == .diverged)
        // No better one is known yet, and one that has learned nothing is no result.
        let refused = try #require(throws: DaflError.self) { try distillation.selectedStudent() }
        #expect(refused.status == .diverged)
    }

    /// Even by one who names its class for every image, as a network of NaNs does.
    @Test func aStudentOfNoNumbersIsNotHandedOut() throws {
        let teacher = try CrookedTeacher("mlp-64-16-4", .none)
        let distillation = try Distillation(teacher: teacher, Self.options())
        for _ in 0..<30 { try distillation.step() }
        let best = Self.weights(try distillation.selectedStudent())
        for parameter in distillation.student.parameters { parameter.value.fill(.nan) }
        teacher.fault = .oneClass
        let handedOut = try distillation.selectedStudent()
        #expect(Self.weights(handedOut) == best)
    }

    @Test func onlyGeneratedImagesBecomeNegatives() throws {
        let (bright, labels) = (try Tensor([64, 64]), [Int64](repeating: 0, count: 64))
        bright.fill(1)
        try labels.withUnsafeBufferPointer { labels in
            let options = Self.options {
                $0.imageSource = .data
                $0.data = ImageData(images: bright.pointer, labels: labels.baseAddress, count: 64)
            }
            let teacher = NetworkTeacher(try Network(architecture: "mlp-64-16-4", seed: 1))
            let compute = try Compute(threads: 1)
            for (kind, hasNegatives) in [(DistillationOptions.ImageSourceKind.data, false), (.generator, true)] {
                var options = options
                options.imageSource = kind
                let images = try Batch(samples: 16, shape: teacher.inputShape)
                let replay = try #require(try Replay(teacher, images: images, options, compute, from: nil) { _, _ in })
                let source = try DataSource(try #require(options.data), nil, teacher, options, compute)
                _ = try source.next()
                replay.add(source.images, source.targets)
                var least: Float = 1
                for _ in 0..<8 {
                    _ = try replay.draw()
                    for i in 0..<16 { least = min(least, images[i, 9]) }
                }
                #expect((least < 0) == hasNegatives)
            }
        }
    }

    @Test func paperLearnsFromTheGeneratorsOwnBatch() throws {
        let distillation = try Self.distillation(
            .none, Self.options { ($0.replayCapacity, $0.studentSteps) = (0, 1) })
        try distillation.step()
        let before = distillation.progress.teacherImages
        try distillation.step()
        #expect(distillation.progress.teacherImages - before == 16)
    }

    @Test func noiseNeedsNoGradients() throws {
        let distillation = try Self.distillation(.gradientTimes(0), Self.options { $0.imageSource = .noise })
        try distillation.step()
        #expect(distillation.generator == nil)
        #expect(distillation.progress.losses.total.isFinite)
    }

    /// Where both are to be had, the student's gradients are another way to images.
    @Test func theStudentsGradientsCanBeForced() throws {
        func generator(_ gradients: DistillationOptions.GradientKind) throws -> [Float] {
            let distillation = try Self.distillation(.none, Self.options { $0.gradients = gradients })
            let calls = distillation.progress.teacherCalls
            try distillation.step()
            // Its forward for the generator, then for the student's two steps; its backward only when it is used.
            #expect(distillation.progress.teacherCalls - calls == (gradients == .student ? 3 : 4))
            return Self.weights(try #require(distillation.generator))
        }
        let (teachers, auto, students) = (try generator(.teacher), try generator(.auto), try generator(.student))
        #expect(teachers == auto)
        #expect(teachers != students)
    }

    @Test func aTeacherThatStopsLeavesADistillationThatGoesOn() throws {
        let teacher = try CrookedTeacher("mlp-64-16-4", .none)
        let distillation = try Distillation(teacher: teacher, Self.options())
        // Every call of a step in turn: the generator's forward and backward, the student's two forwards.
        for call in 1...4 {
            teacher.fault = .stopsAtCall(teacher.calls + call)
            let stop = try #require(throws: CallbackStop.self) { try distillation.step() }
            #expect(stop.code == 42)
            #expect(distillation.progress.step == call - 1)
            teacher.fault = .none
            try distillation.step()
        }
        #expect(distillation.progress.teacherCalls == teacher.calls)
    }

    @Test func answersThatAreNoNumbersAreTheTeachersFault() throws {
        let teacher = try CrookedTeacher("mlp-64-16-4", .none)
        let distillation = try Distillation(teacher: teacher, Self.options())
        teacher.fault = .nanLogit
        let error = try #require(throws: DaflError.self) { try distillation.step() }
        #expect(error.status == .teacher)
        #expect(error.description.contains("image 15 of 16"))
    }

    @Test func imagesThatAreNoNumbersAreTheGeneratorsFault() throws {
        let distillation = try Self.distillation()
        try #require(distillation.generator?.parameter(named: "conv3.bias")).value.fill(.nan)
        let error = try #require(throws: DaflError.self) { try distillation.step() }
        #expect(error.status == .diverged)
    }

    @Test func aCancelledStepDoesNotCount() throws {
        let distillation = try Self.distillation()
        distillation.cancellation.cancel()
        let error = try #require(throws: DaflError.self) { try distillation.step() }
        #expect(error.status == .cancelled && distillation.progress.step == 0)
        distillation.cancellation.clear()
        try distillation.step()
        #expect(distillation.progress.step == 1)
    }

    @Test func aCollapsedGeneratorIsStartedAfresh() throws {
        let teacher = try CrookedTeacher("mlp-64-16-4", .none)
        var warnings: [String] = []
        let distillation = try Distillation(teacher: teacher, Self.options { $0.generatorLearningRate = 0 }) { level, text in
            if level == .warning, text.contains("a fresh one") { warnings.append(text) }
        }
        teacher.fault = .oneClass
        func firstWeight() throws -> Float {
            try #require(distillation.generator?.parameter(named: "l1.weight")).value[0]
        }
        let drawn = try firstWeight()
        for _ in 0..<24 { try distillation.step() }
        #expect(warnings.isEmpty && distillation.progress.collapses == 0)
        #expect(try firstWeight() == drawn)
        try distillation.step()
        #expect(warnings.count == 1 && distillation.progress.collapses == 1)
        #expect(warnings.first?.contains("1.0 of 4 classes") == true)
        #expect(try firstWeight() != drawn)
        for _ in 0..<25 { try distillation.step() }
        #expect(distillation.progress.collapses == 2)
    }

    /// A label says nothing of how sure the teacher is, so its doubt must not look like variety where there are many classes.
    @Test(arguments: [2, 10, 1000]) func oneLabelOfManyIsACollapse(classes: Int) throws {
        let teacher = try CrookedTeacher("mlp-64-16-\(classes)", .oneClass)
        let options = Self.options { ($0.student, $0.batchSize) = ("mlp-64-16-\(classes)", 64) }
        let distillation = try Distillation(teacher: teacher, answers: .labels, options)
        for _ in 0..<25 { try distillation.step() }
        #expect(distillation.progress.collapses == 1)
    }
}
