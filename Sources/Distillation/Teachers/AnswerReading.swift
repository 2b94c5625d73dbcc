import Glibc
import Numerics

/// What a teacher's rows of answers are.
package enum Answers: Int, CaseIterable, Sendable {
    /// Numbers before the softmax, or before the sigmoid of the only one.
    case logits = 0
    /// Their softmax: at least 0, adding up to about 1. Or the sigmoid.
    case probabilities = 1
    /// The winning class alone: the largest number of a row names it, whatever the others are.
    case labels = 2
    /// Probabilities where rows of noise look like them, else logits: see `TeacherExamination`.
    case automatic = 3
}

/// A teacher whose answers are not a logit for each class, read as such.
///
/// The one number of a two-class teacher is that of class 1: a logit z is read as (0, z), a probability p as
/// (log(1 - p), log p).
final class AnswerReading: WrappingTeacher {
    let wrapped: any Teacher
    private let answers: Answers

    /// - Parameter answers: not `automatic`.
    init(_ teacher: any Teacher, _ answers: Answers) {
        wrapped = teacher
        self.answers = answers
    }

    /// The classes of a teacher whose rows have so many numbers.
    static func classes(ofRows numbers: Int) -> Int { max(numbers, 2) }

    var classes: Int { Self.classes(ofRows: wrapped.classes) }
    /// A label does not change with small changes of the image.
    var givesGradients: Bool { answers != .labels && wrapped.givesGradients }

    func plan(_ images: Batch, gradients: Bool, _ compute: Compute) throws -> any TeacherPass {
        try ReadingPass(wrapped.plan(images, gradients: gradients, compute), answers, classes: classes, gradients: gradients)
    }

    private final class ReadingPass: WrappingTeacherPass {
        let wrapped: any TeacherPass
        let logits: Batch
        let logitsGradient: Batch?
        private let answers: Answers
        /// The winner's logit, the others' being 0. A label says nothing of how sure the teacher is; this leaves the student a
        /// doubt of 5.7 %, whatever the classes.
        private let certainty: Float
        /// Smaller probabilities are read as this one.
        private static let least: Float = 1e-6

        init(_ pass: any TeacherPass, _ answers: Answers, classes: Int, gradients: Bool) throws {
            wrapped = pass
            self.answers = answers
            logits = try Batch(samples: pass.logits.samples, shape: Shape([classes]))
            logitsGradient = gradients ? try Batch(samples: pass.logits.samples, shape: logits.shape) : nil
            certainty = 5 + log(Float(classes - 1) / 9)
        }

        private var isOneNumber: Bool { wrapped.logits.elements == 1 }

        func forward() throws {
            try wrapped.forward()
            let rows = wrapped.logits
            for i in 0..<rows.samples {
                switch answers {
                case .logits, .automatic: (logits[i, 0], logits[i, 1]) = (0, rows[i, 0])
                case .probabilities: try readProbabilities(rows, i)
                case .labels:
                    let winner = isOneNumber ? (rows[i, 0] >= 0.5 ? 1 : 0) : rows.argmax(i)
                    for k in 0..<logits.elements { logits[i, k] = k == winner ? certainty : 0 }
                }
            }
        }

        /// The chain rule through the reading. Where a probability was too small to be read there is no slope.
        func backward() throws {
            guard let logitsGradient, let byRows = wrapped.logitsGradient else { return }
            let rows = wrapped.logits
            for i in 0..<rows.samples {
                if answers == .probabilities {
                    for k in 0..<rows.elements {
                        let p = rows[i, k]
                        byRows[i, k] = isOneNumber
                            ? slope(logitsGradient[i, 1], p) - slope(logitsGradient[i, 0], 1 - p)
                            : slope(logitsGradient[i, k], p)
                    }
                } else {
                    byRows[i, 0] = logitsGradient[i, 1]
                }
            }
            try wrapped.backward()
        }

        private func slope(_ gradient: Float, _ probability: Float) -> Float {
            probability > Self.least ? gradient / probability : 0
        }

        private func readProbabilities(_ rows: Batch, _ sample: Int) throws {
            // Logits declared as probabilities would be read as nonsense, so a row must look like some, but for rounding.
            guard rows.looksLikeProbabilities(sample, tolerance: 0.05) else {
                throw DaflError(
                    .teacher,
                    "the teacher's probabilities of image \(sample) add up to \(rows.sum(sample)), the first is "
                        + "\(rows[sample, 0]); they must be at least 0 and add up to 1, or be a single one from 0 to 1")
            }
            if isOneNumber {
                let p = rows[sample, 0]
                (logits[sample, 0], logits[sample, 1]) = (log(max(1 - p, Self.least)), log(max(p, Self.least)))
            } else {
                for k in 0..<rows.elements { logits[sample, k] = log(max(rows[sample, k], Self.least)) }
            }
        }
    }
}

extension Batch {
    fileprivate func sum(_ sample: Int) -> Float {
        (0..<elements).reduce(0) { $0 + self[sample, $1] }
    }

    /// Whether a row of several numbers is a softmax, and a single one a sigmoid, but for a tolerance.
    func looksLikeProbabilities(_ sample: Int, tolerance: Float) -> Bool {
        for k in 0..<elements where !(-tolerance / 5...1 + tolerance / 5).contains(self[sample, k]) { return false }
        return elements == 1 || abs(sum(sample) - 1) <= tolerance
    }
}
