import Networks
import Numerics
import Training

/// A teacher, a generator and a student on their way: data-free learning of student networks (DAFL, ICCV 2019).
///
///     let distillation = try Distillation(teacher: NetworkTeacher(lenet5), Preset.fast.options)
///     while distillation.progress.step < distillation.progress.steps { try distillation.step() }
///     distillation.student  // the distilled network
///
/// One thread at a time may use it; only `cancellation` is for all.
package final class Distillation {
    package let options: DistillationOptions
    package let cancellation = Cancellation()
    package private(set) var progress = Progress()
    /// Told what is worth telling the user.
    package var log: (LogLevel, String) -> Void = { _, _ in }

    private let compute: Compute
    private let observed: ObservedTeacher
    /// The observed teacher, its answers read as logits.
    private let teacher: any Teacher
    private let source: any ImageSource
    private let training: StudentTraining
    private let replay: Replay?
    private let selection: StudentSelection?
    private var clock = StepClock()
    private var collapse: CollapseWatch
    private var agreement = RecentMean()
    private var samplesTaken: UInt32 = 0

    /// - Parameter answers: what the teacher's rows are; logits for a network.
    /// - Throws: `invalidArgument` for options that are out of range or do not fit the teacher, `unsupported` when no generator
    ///   can make its input, `teacher` when its gradients are wrong, and what it throws itself.
    package init(teacher: any Teacher, answers: Answers = .logits, _ options: DistillationOptions) throws {
        try options.validate()
        let student = try Self.student(options, for: teacher)
        let isOwnNetwork = teacher is NetworkTeacher
        // Observed as it answers, before a label is read from what may be no number.
        let observed = ObservedTeacher(teacher, limit: options.maxTeacherQueries, cancellation)
        let teacher: any Teacher = answers == .logits ? observed : AnswerReading(observed, answers)
        guard teacher.givesGradients || options.gradients != .teacher else {
            throw DaflError.invalid(
                "gradients", "\"teacher\"",
                "\"student\", \"differences\" or \"auto\" for a teacher without backward or logits")
        }
        guard answers != .labels || options.gradients != .differences else {
            throw DaflError.invalid(
                "gradients", "\"differences\"",
                "\"student\" or \"auto\" for a teacher that answers with labels, which small steps do not change")
        }
        let leadsToImages = options.imageSource == .generator || options.imageSource == .metadata
        let usesItsGradients = leadsToImages && [.auto, .teacher].contains(options.gradients) && teacher.givesGradients

        self.options = options
        compute = try Compute(
            threads: options.threads, level: InstructionSet.level(named: options.instructionSet),
            usesWinograd: options.convolution == .fast)
        (self.observed, self.teacher) = (observed, teacher)
        let differentiable: any Teacher =
            if options.gradients == .differences {
                DifferencesTeacher(teacher, directions: options.differenceDirections, seed: options.seed)
            } else {
                usesItsGradients ? teacher : SurrogateTeacher(teacher, student: student)
            }
        source = try Self.source(teacher, differentiable: differentiable, options, compute)
        training = try StudentTraining(student, of: teacher, options, compute)
        // Every image of data is learned from in one pass or another.
        selection =
            options.imageSource == .data
            ? nil : try StudentSelection(student, image: teacher.inputShape, options, compute)
        collapse = CollapseWatch(classes: teacher.classes, batchSize: options.batchSize)
        replay = try Replay(teacher, images: training.images, options, compute)
        if !isOwnNetwork {
            if usesItsGradients { try checkGradients(of: teacher, seed: options.seed, compute) }
            if options.imageSource == .generator, options.lossWeights.regularizer != 0 {
                try checkRegularizer(of: teacher, seed: options.seed, compute)
            }
        }
        recordProgress()
    }

    /// What is about to work, and with what.
    package var summary: String {
        "a student \(student.architecture) with \(student.parameterCount) parameters learns from \(options.imageSource.rawValue) "
            + "images of \(teacher.classes) classes, on \(compute.threads) threads with "
            + "\(String(cString: compute.kernels.name)) kernels"
    }

    /// As it is now.
    package var student: Network { training.network }
    /// The student of this run, until now, that agrees best with the teacher: see `StudentSelection`. With data, the last one.
    /// - Throws: `diverged` when that one's weights are not finite.
    package func selectedStudent() throws -> Network {
        let selected = try selection?.selected() ?? student
        guard selected.isFinite else { throw DaflError(.diverged, "the student's weights are no longer finite") }
        return selected
    }
    /// nil when the images are not generated.
    package var generator: Network? { (source as? GeneratorSource)?.network }

    /// One step: the generator learns what the teacher takes for real, and the student learns from the teacher.
    ///
    /// - Throws: what the teacher throws, `diverged`, `cancelled`. The step does not count then, and the next call does
    ///   one anew. `queriesSpent` when max_teacher_queries is reached: the student is what it could learn.
    package func step() throws {
        defer { recordProgress() }  // what was asked counts also when the step does not
        clock.start()
        let losses = try source.next()

        // Nobody has learned from these images yet, so they can tell how well the student does.
        let targets = source.targets
        training.images.load(source.images)
        agreement.add(training.agreement(teacher: targets.logits))
        let isHeldOut = selection != nil && StudentSelection.holdsOut(step: progress.step)
        if !isHeldOut { replay?.add(source.images, targets) }

        let studentSteps = isHeldOut && replay == nil ? 0 : options.studentSteps
        let rate = studentLearningRate
        var distillationLoss = studentSteps == 0 ? progress.distillationLoss : 0
        for _ in 0..<studentSteps {
            try cancellation.check()
            let targets = try replay?.draw() ?? targets
            distillationLoss += try training.step(targets, learningRate: rate) / Double(studentSteps)
        }
        if isHeldOut { try selection?.consider(source.images, logits: targets.logits) }

        clock.stop(images: studentSteps * options.batchSize)
        progress.step += 1
        progress.losses = losses
        progress.distillationLoss = distillationLoss
        if let generator = source as? GeneratorSource { replaceIfCollapsed(generator) }
    }

    private func replaceIfCollapsed(_ generator: GeneratorSource) {
        let effectiveClasses = progress.losses.effectiveClasses
        guard collapse.hasCollapsed(effectiveClasses, generation: generator.generation) else { return }
        generator.restart()
        progress.collapses += 1
        log(
            .warning, "the generator's images came to be of \(oneDecimal(effectiveClasses)) of \(teacher.classes) classes; a "
                + "fresh one takes its place, and a larger entropy_weight may help")
    }

    private func oneDecimal(_ number: Double) -> String {
        let tenths = Int(number * 10)
        return "\(tenths / 10).\(tenths % 10)"
    }

    /// As the schedule has it for what is done of the run, in steps or in the questions that it may ask.
    private var studentLearningRate: Double {
        let (asked, limit) = (observed.images, options.maxTeacherQueries)
        let isShorterByQueries = Double(asked) * Double(options.steps) > Double(progress.step) * Double(limit)
        return limit > 0 && isShorterByQueries
            ? options.studentSchedule.rate(initial: options.studentLearningRate, step: asked, of: limit)
            : options.studentSchedule.rate(initial: options.studentLearningRate, step: progress.step, of: options.steps)
    }

    private func recordProgress() {
        progress.steps = options.steps
        progress.agreement = agreement.value
        progress.imagesPerSecond = clock.imagesPerSecond
        progress.secondsElapsed = clock.secondsElapsed
        progress.secondsLeft = clock.secondsPerStep * Double(max(0, options.steps - progress.step))
        progress.teacherCalls = observed.calls
        progress.teacherImages = observed.images
    }

    /// Images that the source makes now, [count, image] to `images`, and the teacher's logits [count, K] for them. Does not
    /// change what later steps do.
    package func generate(
        count: Int, images: UnsafeMutablePointer<Float>, logits: UnsafeMutablePointer<Float>?
    ) throws {
        defer { recordProgress() }
        cancellation.clear()
        var random = Philox(seed: options.seed, stream: .samples, substream: samplesTaken)
        samplesTaken &+= 1
        let most = options.batchSize
        for start in stride(from: 0, to: count, by: most) {
            let (samples, rows) = (min(most, count - start), images + start * source.images.elements)
            try source.sample(&random, count: samples, rows: rows)
            guard let logits else { continue }
            let batch = try Batch(samples: samples, shape: teacher.inputShape)
            batch.load(rows: rows, compute)
            let answer = try teacher.plan(batch, gradients: false, compute)
            try answer.forward()
            answer.logits.store(rows: logits + start * teacher.classes, compute)
        }
    }

    private static func source(
        _ teacher: any Teacher, differentiable: any Teacher, _ options: DistillationOptions, _ compute: Compute
    ) throws -> any ImageSource {
        switch options.imageSource {
        case .generator: return try GeneratorSource(differentiable, options, compute)
        case .noise: return try NoiseSource(teacher, options, compute)
        case .data:
            guard let data = options.data else { throw DaflError.invalid("images", "NULL", "those to learn from") }
            return try DataSource(data, teacher, options, compute)
        case .metadata:
            guard let metadata = options.metadata else {
                throw DaflError.invalid("metadata_means", "NULL", "those to make images from")
            }
            return try MetadataSource(metadata, differentiable, options, compute)
        }
    }

    /// A new student that takes the teacher's images and answers with its classes.
    private static func student(_ options: DistillationOptions, for teacher: any Teacher) throws -> Network {
        let student: Network
        do {
            student = try Network(architecture: options.student, seed: options.seed)
        } catch let error as DaflError {
            throw DaflError(error.status, "student: \(error)")
        }
        guard teacher.classes >= 2 else {
            throw DaflError.invalid("classes of the teacher", teacher.classes, "at least 2")
        }
        guard student.inputShape.takes(teacher.inputShape), student.outputShape.count == teacher.classes else {
            throw DaflError.invalid(
                "student",
                "\"\(options.student)\", from inputs of shape \(student.inputShape) to \(student.outputShape.count) classes",
                "a network from the teacher's \(teacher.inputShape) to its \(teacher.classes)")
        }
        return student
    }
}

/// The raw values are those of dafl.h.
package enum LogLevel: Int32 {
    case info = 1
    case warning = 2
}
