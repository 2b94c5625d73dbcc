import Networks
import Numerics

/// A teacher that only answers, with the student's gradients in the place of its own.
///
/// The student comes to approximate the teacher and so does its Jacobian: dL/dt is taken at the teacher's logits and led
/// back to the images through the student. No further questions are asked for it.
final class SurrogateTeacher: WrappingTeacher {
    let wrapped: any Teacher
    private let student: Network

    init(_ teacher: any Teacher, student: Network) {
        wrapped = teacher
        self.student = student
    }

    var givesGradients: Bool { true }

    func plan(_ images: Batch, gradients: Bool, regularizerWeight: Double, _ compute: Compute) throws -> any TeacherPass {
        let answers = try wrapped.plan(images, gradients: false, regularizerWeight: regularizerWeight, compute)
        return gradients
            ? SurrogatePass(answers, try Pass(student, input: images, gradients: .input, compute)) : answers
    }

    private final class SurrogatePass: WrappingTeacherPass {
        let wrapped: any TeacherPass
        private let student: Pass

        init(_ answers: any TeacherPass, _ student: Pass) {
            wrapped = answers
            self.student = student
        }

        var logitsGradient: Batch? { student.outputGradient }
        /// The student's features are not the teacher's.
        var featuresGradient: Batch? { nil }
        var imagesGradient: Batch? { student.inputGradient }

        func backward() throws {
            student.forward()
            student.backward()
            try addRegularizer(to: imagesGradient)
        }
    }
}
