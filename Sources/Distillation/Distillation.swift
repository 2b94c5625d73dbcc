import Networks
import Numerics
import Training

/// A teacher, a generator and a student on their way: data-free learning of student networks (DAFL, ICCV 2019).
///
///     let distillation = try Distillation(teacher: NetworkTeacher(lenet5), Preset.fast.options)
///     while !distillation.isDone { try distillation.step() }
///     distillation.student  // the distilled network
///
/// One thread at a time may use it; only `cancellation` is for all.
package final class Distillation {
    package let options: DistillationOptions
    package let cancellation = Cancellation()
    package private(set) var progress = Progress()
    /// Told what is worth telling the user.
    package let log: (LogLevel, String) -> Void

    private let compute: Compute
    private var queried: QueriedTeacher
    private let source: any ImageSource
    private let training: StudentTraining
    private let replay: Replay?
    private let selection: StudentSelection?
    private let holdout: HoldoutAgreement?
    private let ranks: Ranks?
    /// The student as it is handed out, which may have one output for the two logits of the one in training.
    package let shown: Network
    /// As the host gave it.
    package let teacher: any Teacher
    /// See `DistillationOptions.checksums`.
    package private(set) lazy var checksums = options.checksums(teacher)
    /// Below it the run ends with a warning.
    private static let leastHoldoutAgreement = 0.4
    private var hasWarned = false
    private var clock = StepClock()
    private var collapse: CollapseWatch
    private var agreement = RecentMean()
    private var patience: Patience
    private var samplesTaken = 0
    /// As it was before the step at work.
    private var before: Snapshot?

    /// - Parameters:
    ///   - answers: what the teacher's rows are; a network's are logits.
    ///   - archive: the state of a run of the same teacher and options, which goes on; nil for a new one.
    ///   - log: told what is worth telling the user, here too.
    /// - Throws: `invalidArgument` for options that are out of range or do not fit the teacher, `unsupported` when no generator
    ///   can make its input, `teacher` when its gradients are wrong or it cannot be learned from, `format` for an
    ///   archive of another run, and what teacher and archive throw themselves.
    package init(
        teacher host: any Teacher, answers: Answers = .automatic, _ options: DistillationOptions, from archive: Archive? = nil,
        log: @escaping (LogLevel, String) -> Void = { _, _ in }
    ) throws {
        try options.validate()
        self.options = options
        self.log = log
        let shown = try Network.student(options, of: host, isRestored: archive != nil)
        if let sentence = try options.surprise(shown, of: host) { log(.warning, sentence) }
        (self.shown, self.teacher) = (shown, host)
        let compute = try Compute(
            threads: options.threads, level: InstructionSet.level(named: options.instructionSet),
            usesWinograd: options.convolution == .fast)
        let matches = options.matchesLayers(host.inputShape)
        // A run that goes on has its weights, and needs of a start only what is matched.
        let start = archive == nil || matches ? try TeachersStart.of(shown, host, options, compute) : nil
        let matched = matches ? start : nil
        let student = try shown.answeringBothClasses()
        let cancellation = cancellation
        let queried = try archive.within("teacher") {
            try QueriedTeacher(matched?.watchedTeacher ?? host, answers, options, cancellation, compute, from: archive, log: log)
        }
        (self.compute, self.queried) = (compute, queried)
        ranks = try Ranks(options, student: student, of: host, classes: queried.teacher.classes)
        source = try queried.source(
            student: student, options, isMatched: matched != nil, isRestored: archive != nil, with: ranks, compute)
        let training = try StudentTraining(student, of: queried.teacher, start: matched, options, with: ranks, compute)
        self.training = training
        // Every image of data is learned from in one pass or another.
        selection =
            options.imageSource == .data ? nil : try StudentSelection(student, image: host.inputShape, options, with: ranks, compute)
        holdout = selection == nil ? nil : try HoldoutAgreement(queried, student: student, options, compute)
        patience = Patience(options)
        collapse = CollapseWatch(classes: queried.teacher.classes, batchSize: options.batchSize)
        replay = try archive.within("replay") {
            try Replay(queried.teacher, images: training.images, options, compute, from: archive, log: log)
        }
        if let archive {
            persist(archive)
            try archive.check()
        }
        before = try Snapshot { [unowned self] in persistStep($0) }
        recordProgress()
    }

    /// What is about to work, and with what.
    package var summary: String {
        "a student \(student.name) with \(student.parameterCount) parameters learns from images of source "
            + "\(options.imageSource.rawValue), of \(queried.teacher.classes) classes, "
            + (queried.units == nil ? "with mean 0 and deviation 1" : "in the teacher's units")
            + ", on \(compute.threads) threads with "
            + "\(String(cString: compute.kernels.name)) kernels"
    }

    /// As it is now, for standardised images, with a logit for each class.
    package var student: Network { training.network }

    /// As it is now; nil when the images are not generated.
    package var generator: Network? { source.generator?.network }

    /// A copy of the student of this run, until now, that agrees best with the teacher: see `StudentSelection`. With data, of
    /// the last one. It takes its inputs in the teacher's own units. Of a teacher with one output it has one if it is a share of
    /// the teacher's graph, or was given so.
    /// - Throws: `diverged` when its weights are not finite, `outOfMemory`.
    package func selectedStudent() throws -> Network {
        let selected = try selection?.selected() ?? student
        guard selected.isFinite else { throw DaflError(.diverged, "the student's weights are no longer finite") }
        let student = try shown.copy()
        student.loadWeights(of: selected)
        return try student.copy(units: queried.units?.viewed(as: student.inputShape))
    }

    /// A copy of the generator as it is now, which makes images in the teacher's own units; nil when they are not generated.
    package func exportedGenerator() throws -> Network? {
        guard let generator = try source.generator?.exported() else { return nil }
        return try generator.copy(units: queried.units?.viewed(as: generator.outputShape), .restoring)
    }

    /// One step: images are made, of which the generator may learn what the teacher takes for real, and the student learns from the
    /// teacher.
    ///
    /// - Throws: what the teacher throws, `diverged`, `cancelled`. Then all is as it was before, and the next call does the
    ///   step anew, to the same bytes; `rank` where that is so because of another rank. `queriesSpent` when max_teacher_queries is
    ///   reached: the student is what it could learn.
    package func step() throws {
        before?.take()
        defer { recordProgress() }  // what was queried counts also when the step does not
        do {
            try ranks?.meet(training.weights, step: progress.step)
            try learn()
        } catch {
            let error = ranks?.tell(error) ?? error
            if (error as? DaflError)?.status == .queriesSpent {
                warnIfStrange()
                throw error
            }
            before?.bringBack()
            throw error
        }
    }

    /// Of several ranks, ends the step that others have begun where the host ends a run between two.
    package func leave(_ error: any Error) {
        if !isDone { _ = ranks?.tell(error) }
    }

    /// All that a later step depends on.
    package func persist(_ archive: Archive) {
        persistStep(archive)
        archive.within("teacher") { queried.persist(archive) }
        archive.part("selection", selection)
        archive.part("holdout", holdout)
        archive.whole("samples_taken", &samplesTaken, in: Archive.counts)
        archive.flag("has_warned", &hasWarned)
        if archive.isRestoring { recordProgress() }
    }

    /// What a step changes, and takes back when it fails.
    private func persistStep(_ archive: Archive) {
        archive.within("progress") { progress.persist(archive) }
        archive.within("agreement") { agreement.persist(archive) }
        archive.within("patience") { patience.persist(archive) }
        archive.within("collapse") { collapse.persist(archive) }
        archive.within("clock") { clock.persist(archive) }
        archive.part("source", source)
        archive.part("student", training)
        archive.part("replay", replay)
    }

    private func learn() throws {
        clock.start()
        try cancellation.check()
        let losses = try source.next()

        // Nobody has learned from these images yet, so they can tell how well the student does.
        let targets = source.targets
        training.images.load(source.images)
        var (agreed, asked) = (training.agreement(teacher: targets.logits), Double(queried.observed.images))
        if let ranks { (agreed, asked) = try ranks.average(agreed, asked) }
        agreement.add(agreed)
        let areFit = source.areFit(agreement: agreed)
        let areHeldOut = areFit && selection != nil && StudentSelection.holdsOut(step: progress.step)
        let areLearned = areFit && !areHeldOut
        if areLearned { replay?.add(source.images, targets) }

        let studentSteps = areLearned || replay != nil ? options.studentSteps : 0
        let rate = studentLearningRate(asked: Int(asked))
        var distillationLoss = studentSteps == 0 ? progress.distillationLoss : 0
        for _ in 0..<studentSteps {
            try cancellation.check()
            let targets = try replay?.draw() ?? targets
            distillationLoss += try training.step(targets, learningRate: rate) / Double(studentSteps)
        }
        if let holdout, StudentSelection.holdsOut(step: progress.step) || progress.step == options.steps - 1 {
            let share = try holdout.value(over: ranks)
            progress.holdoutAgreement = share ?? .nan
            if let share { patience.see(share, step: progress.step + 1) }
        }
        // The last that can fail, on whatever rank: what it keeps is not undone.
        if areHeldOut {
            try selection?.consider(source.images, logits: targets.logits)
        } else if let ranks {
            if let selection, progress.step == options.steps - 1 { try selection.reconsider() } else { try ranks.agree() }
        }

        clock.stop(images: studentSteps * options.batchSize)
        progress.step += 1
        progress.losses = losses
        progress.distillationLoss = distillationLoss
        if let generator = source.generator, source.generatesNow { replaceIfCollapsed(generator) }
        if holdout == nil { patience.see(agreement.value, step: progress.step) }
        guard isDone else { return }
        if progress.step < options.steps {
            log(.info, "the run ends at step \(progress.step): the student has not become better since step \(patience.bestStep)")
        }
        warnIfStrange()
    }

    /// Whether all steps are done, or patience is at its end. A step can be done nevertheless.
    package var isDone: Bool { progress.step >= options.steps || patience.isOver(step: progress.step) }

    /// At the end of the run, once; not of one in which no student was to learn.
    private func warnIfStrange() {
        guard !hasWarned, options.studentSteps > 0, progress.holdoutAgreement < Self.leastHoldoutAgreement else { return }
        hasWarned = true
        log(
            .warning, "of pictures that nobody learned from the student names the teacher's class for "
                + "\(percent(progress.holdoutAgreement)) of each class on average: on real inputs it may know little of the teacher. "
                + "More steps, a larger student, other input units or a few real inputs (image_source \"data\") may help")
    }

    private func percent(_ share: Double) -> String { "\(Int((100 * share).rounded())) %" }

    private func replaceIfCollapsed(_ generator: GeneratorSource) {
        let effectiveClasses = progress.losses.effectiveClasses
        guard collapse.hasCollapsed(effectiveClasses, generation: generator.generation) else { return }
        generator.restart()
        progress.collapses += 1
        log(
            .warning, "the generator's images came to be of \(oneDecimal(effectiveClasses)) of \(queried.teacher.classes) classes; a "
                + "fresh one takes its place, and a larger entropy_weight may help")
    }

    private func oneDecimal(_ number: Double) -> String {
        let tenths = Int(number * 10)
        return "\(tenths / 10).\(tenths % 10)"
    }

    /// As the schedule has it for what is done of the run, in steps or in the questions that it may ask.
    private func studentLearningRate(asked: Int) -> Double {
        let limit = options.maxTeacherQueries
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
        progress.teacherCalls = queried.observed.calls
        progress.teacherImages = queried.observed.images
    }

    /// Images that the source makes now, [count, image] to `images` in the teacher's own units, and the teacher's logits
    /// [count, K] for them. Does not change what later steps do.
    package func generate(
        count: Int, images: UnsafeMutablePointer<Float>, logits: UnsafeMutablePointer<Float>?
    ) throws {
        defer { recordProgress() }
        try cancellation.check()
        var random = Philox(
            seed: options.seed, stream: .samples, substream: UInt32(truncatingIfNeeded: samplesTaken))
        samplesTaken += 1
        let (teacher, most) = (queried.teacher, options.batchSize)
        for start in stride(from: 0, to: count, by: most) {
            let (samples, rows) = (min(most, count - start), images + start * source.images.elements)
            try source.sample(&random, count: samples, rows: rows)
            guard logits != nil || queried.units != nil else { continue }
            let batch = try Batch(samples: samples, shape: teacher.inputShape)
            batch.load(rows: rows, compute)
            if let logits {
                let answer = try teacher.plan(batch, gradients: false, compute)
                try answer.forward()
                answer.logits.store(rows: logits + start * teacher.classes, compute)
            }
            guard let units = queried.units else { continue }
            let restoring = try units.plan(batch, gradients: false, compute)
            restoring.forward()
            restoring.output.store(rows: rows, compute)
        }
    }
}

/// The raw values are those of dafl.h.
package enum LogLevel: Int32 {
    case info = 1
    case warning = 2
}
