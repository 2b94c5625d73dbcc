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

    /// - Throws: `invalidArgument` for options that do not fit the teacher, `teacher` when it returns what cannot be learned from,
    ///   and what it throws itself.
    init(
        _ host: any Teacher, _ declared: Answers, _ options: DistillationOptions, _ cancellation: Cancellation,
        _ compute: Compute, log: (LogLevel, String) -> Void
    ) throws {
        let own = host as? NetworkTeacher
        // A network that standardises its inputs itself knows its units.
        units = try options.units(of: host) ?? own?.ownUnits.map { TeacherUnits(units: $0) }
        let standard: any Teacher = units.map { UnitsTeacher(host, $0) } ?? host
        // Observed as it answers, before a label is read from what may be no number.
        observed = ObservedTeacher(standard, limit: options.maxTeacherQueries, cancellation)
        let answers = try Self.examine(
            own == nil ? observed : standard, isOwn: own != nil, own == nil ? declared : .logits, saysUnits: units != nil,
            options, compute, log: log)
        teacher = answers == .logits && observed.classes > 1 ? observed : AnswerReading(observed, answers)

        guard teacher.givesGradients || options.gradients != .teacher else {
            throw DaflError.invalid(
                "gradients", "\"teacher\"",
                "\"student\", \"differences\" or \"auto\" for a teacher without backward or that answers with labels")
        }
        guard answers != .labels || options.gradients != .differences else {
            throw DaflError.invalid(
                "gradients", "\"differences\"",
                "\"student\" or \"auto\" for a teacher that answers with labels, which small steps do not change")
        }
        usesItsGradients = options.learnsImages && [.auto, .teacher].contains(options.gradients) && teacher.givesGradients
        guard own == nil else { return }
        if usesItsGradients { try checkGradients(of: teacher, seed: options.seed, compute) }
        if options.imageSource == .generator, options.lossWeights.regularizer != 0 {
            try checkRegularizer(of: teacher, seed: options.seed, compute)
        }
    }

    /// Returns what the teacher's answers are.
    private static func examine(
        _ teacher: any Teacher, isOwn: Bool, _ declared: Answers, saysUnits: Bool, _ options: DistillationOptions,
        _ compute: Compute, log: (LogLevel, String) -> Void
    ) throws -> Answers {
        let isSpared = options.maxTeacherQueries > 0 && options.maxTeacherQueries < TeacherExamination.limitForAll
        guard !isSpared || declared == .automatic else { return declared }
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
        if !saysUnits, let (label, count, images) = examination.soleClass(answers) {
            log(
                .warning, "of \(images) images of noise with mean 0 and deviation 1 the teacher names class "
                    + "\(label) for \(count): if its inputs are in other units, such as pixels from 0 to 255, say so with "
                    + "input_mean and input_deviation, or with their range")
        }
        guard !isOwn, !isSpared, let cause = try examination.instability() else { return answers }
        let needsSameAnswers = options.gradients == .differences
            || (options.learnsImages && [.auto, .teacher].contains(options.gradients) && teacher.givesGradients)
        guard needsSameAnswers else {
            log(.warning, "the teacher \(cause). The student learns from what it returns")
            return answers
        }
        throw DaflError(
            .teacher, "the teacher \(cause). Switch that off; or set gradients to \"student\", which does without the "
                + "teacher's and can learn from such answers")
    }
}

extension DistillationOptions {
    /// Whether gradients lead back to the images.
    var learnsImages: Bool { imageSource == .generator || imageSource == .metadata }
}
