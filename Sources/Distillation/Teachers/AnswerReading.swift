import Glibc
import Numerics

/// What a teacher's rows of answers are.
package enum Answers: Int, CaseIterable, Sendable {
    /// Numbers before the softmax.
    case logits = 0
    /// Their softmax: at least 0, adding up to about 1.
    case probabilities = 1
    /// The winning class alone: the largest number of a row names it, whatever the others are.
    case labels = 2
}

/// A teacher whose answers are probabilities or labels, read as logits.
final class AnswerReading: WrappingTeacher {
    let wrapped: any Teacher
    private let answers: Answers

    init(_ teacher: any Teacher, _ answers: Answers) {
        wrapped = teacher
        self.answers = answers
    }

    /// A gradient would be one by the answers, not by the logits that are read from them.
    var givesGradients: Bool { false }

    func plan(_ images: Batch, gradients: Bool, _ compute: Compute) throws -> any TeacherPass {
        ReadingPass(try wrapped.plan(images, gradients: false, compute), answers)
    }

    private final class ReadingPass: WrappingTeacherPass {
        let wrapped: any TeacherPass
        private let answers: Answers
        /// The winner's logit, the others' being 0. A label says nothing of how sure the teacher is; this leaves the student a
        /// doubt of 5.7 %, whatever the classes.
        private let certainty: Float

        init(_ pass: any TeacherPass, _ answers: Answers) {
            wrapped = pass
            self.answers = answers
            certainty = 5 + log(Float(pass.logits.elements - 1) / 9)
        }

        func forward() throws {
            try wrapped.forward()
            let rows = wrapped.logits
            for i in 0..<rows.samples {
                if answers == .probabilities { try requireProbabilities(rows, i) }
                let winner = rows.argmax(i)
                for k in 0..<rows.elements {
                    rows[i, k] = answers == .labels ? (k == winner ? certainty : 0) : log(max(rows[i, k], 1e-6))
                }
            }
        }

        func backward() {}

        /// Logits declared as probabilities would be read as nonsense, so a row must look like some, but for rounding.
        private func requireProbabilities(_ rows: Batch, _ sample: Int) throws {
            var (sum, least): (Float, Float) = (0, 0)
            for k in 0..<rows.elements { (sum, least) = (sum + rows[sample, k], min(least, rows[sample, k])) }
            guard least >= -0.01, abs(sum - 1) <= 0.05 else {
                throw DaflError(
                    .teacher,
                    "the teacher's probabilities of image \(sample) add up to \(sum), the least is \(least); they must be at "
                        + "least 0 and add up to 1")
            }
        }
    }
}
