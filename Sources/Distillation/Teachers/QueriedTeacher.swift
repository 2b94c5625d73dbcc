import Networks
import Numerics

/// The host's teacher as the method knows it: it takes standardised images and returns logits, and what it is queried is
/// counted.
struct QueriedTeacher {
    /// What counts.
    let observed: ObservedTeacher
    /// The observed teacher, its answers read as logits.
    let teacher: any Teacher
    /// Whether images are learned with the teacher's own gradients.
    let usesItsGradients: Bool
    /// Those of its inputs; nil for standardised ones.
    let units: TeacherUnits?
    private var findings: Findings

    /// What was found out about a teacher by querying it.
    private struct Findings {
        var answers: Answers
        /// Whether it returns the same each time.
        var isStable = true

        mutating func persist(_ archive: Archive) {
            var number = answers.rawValue
            archive.whole("answers", &number, in: 0...Answers.labels.rawValue)
            answers = Answers(rawValue: number) ?? answers
            archive.flag("is_stable", &isStable)
        }
    }

    /// - Parameter archive: of a run that goes on, whose teacher was examined when it began; nil for a new one.
    /// - Throws: `invalidArgument` for options that do not fit the teacher, `teacher` when it returns what cannot be learned from,
    ///   and what it throws itself.
    init(
        _ host: any Teacher, _ declared: Answers, _ options: DistillationOptions, _ cancellation: Cancellation,
        _ compute: Compute, from archive: Archive? = nil, log: (LogLevel, String) -> Void
    ) throws {
        // A network that standardises its inputs itself knows its units.
        let own = host as? NetworkTeacher
        let said = try options.units(of: host)
        guard said == nil || own?.ownUnits == nil else {
            throw DaflError(
                .invalidArgument,
                "the units of inputs (input_mean and input_deviation, or a range) must be left out for a network that standardises its "
                    + "inputs itself")
        }
        units = said ?? own?.ownUnits.map { TeacherUnits(units: $0, shape: host.inputShape) }
        let standard: any Teacher = units.map { UnitsTeacher(host, $0) } ?? host
        // Observed as it answers, before a label is read from what may be no number.
        let observed = ObservedTeacher(standard, limit: options.maxTeacherQueries, cancellation)
        self.observed = observed
        let isOwn = own != nil
        var findings = Findings(answers: isOwn ? .logits : declared)
        if let archive {
            findings.persist(archive)
            try archive.check()
            guard isOwn || [.automatic, findings.answers].contains(declared) else {
                throw DaflError.invalid("answers of the teacher", "\(declared)", "\(findings.answers), as when the run began")
            }
        } else {
            findings = try Self.examine(
                isOwn ? standard : observed, isOwn: isOwn, findings.answers, saysUnits: units != nil, options, compute, log: log)
        }
        self.findings = findings
        let read: any Teacher =
            findings.answers == .logits && observed.classes > 1 ? observed : AnswerReading(observed, findings.answers)
        teacher = findings.isStable ? read : WithoutRegularizer(read)

        guard read.givesGradients || options.gradients != .teacher else {
            throw DaflError.invalid(
                "gradients", "\"teacher\"",
                "\"student\", \"differences\" or \"auto\" for a teacher without backward or that answers with labels")
        }
        guard findings.answers != .labels || options.gradients != .differences else {
            throw DaflError.invalid(
                "gradients", "\"differences\"",
                "\"student\" or \"auto\" for a teacher that answers with labels, which small steps do not change")
        }
        usesItsGradients = options.useGradients(of: read)
        guard !isOwn, archive == nil else { return }
        if usesItsGradients { try checkGradients(of: teacher, seed: options.seed, compute) }
        if options.generates(host.inputShape), options.lossWeights.regularizer != 0 {
            try checkRegularizer(of: teacher, seed: options.seed, compute)
        }
    }

    mutating func persist(_ archive: Archive) {
        findings.persist(archive)
        observed.persist(archive)
        if let units = units?.units {
            archive.constant("mean", units.mean.value)
            archive.constant("deviation", units.deviation.value)
        }
    }

    private static func examine(
        _ teacher: any Teacher, isOwn: Bool, _ declared: Answers, saysUnits: Bool, _ options: DistillationOptions,
        _ compute: Compute, log: (LogLevel, String) -> Void
    ) throws -> Findings {
        let isSpared = options.maxTeacherQueries > 0 && options.maxTeacherQueries < TeacherExamination.limitForAll
        guard !isSpared || declared == .automatic else { return Findings(answers: declared) }
        let examination = isSpared
            ? try TeacherExamination(teacher, samples: TeacherExamination.fewestQueries, seed: options.seed, compute)
            : try TeacherExamination(teacher, seed: options.seed, compute)
        var answers = declared
        if answers == .automatic {
            answers = examination.areProbabilities ? .probabilities : .logits
            if answers == .probabilities {
                log(
                    .info, teacher.classes == 1
                        ? "the teacher returns one number from 0 to 1: it is taken for the probability of class 1, unless answers "
                            + "says otherwise"
                        : "the teacher returns rows that are probabilities: they are taken for such, unless answers says otherwise")
            }
        }
        guard !isSpared else { return Findings(answers: answers) }
        let told = try examination.toldOfNoise(answers)
        if told.share < TeacherExamination.leastTold {
            let noise = saysUnits ? "noise in the units said" : "noise with mean 0 and deviation 1"
            log(
                .warning, "the teacher hardly tells images of \(noise) apart: it names class \(told.label) for \(told.count) of "
                    + "\(told.images). If its inputs are in other units, such as pixels from 0 to 255, say so with input_mean and "
                    + "input_deviation, or with their range; else what the student is said to agree on is worth little")
        }
        guard !isOwn, let cause = try examination.instability() else { return Findings(answers: answers) }
        guard options.gradients == .differences || options.useGradients(of: teacher) else {
            log(.warning, "the teacher \(cause). The student learns from what it returns, and images without its regularizer")
            return Findings(answers: answers, isStable: false)
        }
        throw DaflError(
            .teacher, "the teacher \(cause). Switch that off; or set gradients to \"student\", which does without the "
                + "teacher's and can learn from such answers")
    }
}

/// A teacher whose regularizer is left out: statistics of a network that is not the same twice have no gradient.
private final class WithoutRegularizer: WrappingTeacher {
    let wrapped: any Teacher

    init(_ teacher: any Teacher) { wrapped = teacher }

    var hasRegularizer: Bool { false }

    func plan(_ images: Batch, gradients: Bool, regularizerWeight: Double, _ compute: Compute) throws -> any TeacherPass {
        try wrapped.plan(images, gradients: gradients, compute)
    }
}

extension DistillationOptions {
    /// Whether images are learned with a teacher's own gradients.
    func useGradients(of teacher: any Teacher) -> Bool {
        let learnsImages = generates(teacher.inputShape) || imageSource == .metadata
        return learnsImages && [.auto, .teacher].contains(gradients) && teacher.givesGradients
    }
}
