import Networks
import Numerics

@testable import Distillation

/// A network as a host's teacher, which stops at one of its calls.
final class StoppingTeacher: WrappingTeacher {
    let wrapped: any Teacher
    var callsLeft: Int?

    init(_ architecture: String = "mlp-64-16-4", seed: UInt64 = 1) throws {
        wrapped = NetworkTeacher(try Network(architecture: architecture, seed: seed))
    }

    func plan(_ images: Batch, gradients: Bool, regularizerWeight: Double, _ compute: Compute) throws -> any TeacherPass {
        StoppingPass(try wrapped.plan(images, gradients: gradients, compute), self)
    }

    private final class StoppingPass: WrappingTeacherPass {
        let wrapped: any TeacherPass
        private let teacher: StoppingTeacher

        init(_ pass: any TeacherPass, _ teacher: StoppingTeacher) { (wrapped, self.teacher) = (pass, teacher) }

        func forward() throws {
            if let left = teacher.callsLeft {
                guard left > 0 else { throw CallbackStop(code: 42, callback: "test") }
                teacher.callsLeft = left - 1
            }
            try wrapped.forward()
        }

        func backward() throws { try wrapped.backward() }
    }
}
