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

    func plan(_ images: Batch, gradients: Bool, regularizerWeight: Double, _ compute: Compute) throws -> any TeacherPass {
        let pass = try wrapped.plan(images, gradients: gradients, regularizerWeight: regularizerWeight, compute)
        let logits = try Batch(samples: images.samples, shape: Shape([classes]))
        return answers == .probabilities && wrapped.classes > 1
            ? try ProbabilitiesPass(pass, logits, gradients: gradients, compute)
            : try NumberPass(pass, logits, answers, gradients: gradients)
    }

    /// Smaller probabilities are read as this one.
    private static let least: Float = 1e-6

    /// Rows of probabilities: their logarithms.
    private final class ProbabilitiesPass: WrappingTeacherPass {
        let wrapped: any TeacherPass
        let logits: Batch
        let logitsGradient: Batch?
        private let compute: Compute
        private let sums: Batch
        private let minima: Batch

        init(_ pass: any TeacherPass, _ logits: Batch, gradients: Bool, _ compute: Compute) throws {
            (wrapped, self.logits, self.compute) = (pass, logits, compute)
            logitsGradient = gradients ? try Batch(samples: logits.samples, shape: logits.shape) : nil
            func number() throws -> Batch { try Batch(samples: logits.samples, shape: Shape([1])) }
            (sums, minima) = (try number(), try number())
        }

        func forward() throws {
            try wrapped.forward()
            let p = wrapped.logits
            compute.parallel(p.blocks) { blocks in
                compute.kernels.log_probabilities(
                    p.pointer, AnswerReading.least, logits.pointer, sums.pointer, minima.pointer, p.elements, blocks.lowerBound,
                    blocks.upperBound)
            }
            // Logits declared as probabilities would be read as nonsense, so a row must look like some, but for rounding.
            for i in 0..<p.samples where minima[i, 0] < -0.01 || abs(sums[i, 0] - 1) > 0.05 {
                throw DaflError(
                    .teacher, "the teacher's probabilities of image \(i) add up to \(sums[i, 0]), the least is \(minima[i, 0]); "
                        + "they must be at least 0 and add up to 1")
            }
        }

        /// The chain rule through the logarithm. Where a probability was too small to be read there is no slope.
        func backward() throws {
            if let logitsGradient, let byRows = wrapped.logitsGradient {
                let p = wrapped.logits
                compute.parallelFloats(p.count) { start, count in
                    compute.kernels.log_probabilities_gradient(
                        p.pointer + start, AnswerReading.least, logitsGradient.pointer + start, byRows.pointer + start, count)
                }
            }
            try wrapped.backward()
        }
    }

    /// Labels, or the one number of a two-class teacher.
    private final class NumberPass: WrappingTeacherPass {
        let wrapped: any TeacherPass
        let logits: Batch
        let logitsGradient: Batch?
        private let answers: Answers
        /// A winning label's logit, the others' being 0. A label says nothing of how sure the teacher is; this leaves the student
        /// a doubt of 5.7 %, whatever the classes.
        private let certainty: Float

        init(_ pass: any TeacherPass, _ logits: Batch, _ answers: Answers, gradients: Bool) throws {
            (wrapped, self.logits, self.answers) = (pass, logits, answers)
            logitsGradient = gradients ? try Batch(samples: logits.samples, shape: logits.shape) : nil
            certainty = 5 + log(Float(logits.elements - 1) / 9)
        }

        func forward() throws {
            try wrapped.forward()
            let rows = wrapped.logits
            for i in 0..<rows.samples {
                switch answers {
                case .logits, .automatic: (logits[i, 0], logits[i, 1]) = (0, rows[i, 0])
                case .probabilities: try readSigmoid(rows[i, 0], i)
                case .labels:
                    let winner = rows.elements == 1 ? (rows[i, 0] >= 0.5 ? 1 : 0) : rows.argmax(i)
                    for k in 0..<logits.elements { logits[i, k] = k == winner ? certainty : 0 }
                }
            }
        }

        private func readSigmoid(_ p: Float, _ sample: Int) throws {
            guard (-0.01...1.01).contains(p) else {
                throw DaflError(.teacher, "the teacher's probability of image \(sample) is \(p); it must be from 0 to 1")
            }
            logits[sample, 0] = log(max(1 - p, AnswerReading.least))
            logits[sample, 1] = log(max(p, AnswerReading.least))
        }

        /// The chain rule through the reading; labels have none.
        func backward() throws {
            if let logitsGradient, let byRows = wrapped.logitsGradient {
                let rows = wrapped.logits
                for i in 0..<rows.samples {
                    let (g0, g1, p) = (logitsGradient[i, 0], logitsGradient[i, 1], rows[i, 0])
                    byRows[i, 0] = answers == .probabilities ? Self.slope(g1, p) - Self.slope(g0, 1 - p) : g1
                }
            }
            try wrapped.backward()
        }

        private static func slope(_ gradient: Float, _ probability: Float) -> Float {
            probability > AnswerReading.least ? gradient / probability : 0
        }
    }
}

extension Batch {
    /// Whether a row of several numbers is a softmax, and a single one a sigmoid, but for a tolerance.
    func looksLikeProbabilities(_ sample: Int, tolerance: Float) -> Bool {
        for k in 0..<elements where !(-tolerance / 5...1 + tolerance / 5).contains(self[sample, k]) { return false }
        return elements == 1 || abs((0..<elements).reduce(0) { $0 + self[sample, $1] } - 1) <= tolerance
    }
}
