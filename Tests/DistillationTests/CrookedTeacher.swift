import Networks
import Numerics

@testable import Distillation

/// A network as the teacher, honest but for one thing.
final class CrookedTeacher: WrappingTeacher {
    enum Fault: Equatable {
        case none
        case gradientTimes(Float)
        case forgetsFeatures
        case forgetsPixels(Range<Int>)
        case nanLogit
        /// Names the first class whatever it is shown.
        case oneClass
        case stopsAtCall(Int)
    }

    var fault: Fault
    private(set) var calls = 0
    let wrapped: any Teacher

    init(_ architecture: String, seed: UInt64 = 1, _ fault: Fault) throws {
        wrapped = NetworkTeacher(try Network(architecture: architecture, seed: seed))
        self.fault = fault
    }

    func plan(_ images: Batch, gradients: Bool, regularizerWeight: Double, _ compute: Compute) throws -> any TeacherPass {
        CrookedPass(try wrapped.plan(images, gradients: gradients, compute), self)
    }

    private final class CrookedPass: WrappingTeacherPass {
        let wrapped: any TeacherPass
        private let teacher: CrookedTeacher

        init(_ pass: any TeacherPass, _ teacher: CrookedTeacher) {
            wrapped = pass
            self.teacher = teacher
        }

        private func count() throws {
            teacher.calls += 1
            if teacher.fault == .stopsAtCall(teacher.calls) { throw CallbackStop(code: 42, callback: "test") }
        }

        func forward() throws {
            try count()
            try wrapped.forward()
            switch teacher.fault {
            case .nanLogit: logits[logits.samples - 1, 0] = .nan
            case .oneClass: for i in 0..<logits.samples { logits[i, 0] = 50 }
            default: break
            }
        }

        func backward() throws {
            try count()
            if teacher.fault == .forgetsFeatures { featuresGradient?.fill(0) }
            try wrapped.backward()
            guard let imagesGradient else { return }
            switch teacher.fault {
            case .gradientTimes(let factor):
                for i in 0..<imagesGradient.count { imagesGradient.pointer[i] *= factor }
            case .forgetsPixels(let pixels):
                for i in 0..<imagesGradient.samples { for pixel in pixels { imagesGradient[i, pixel] = 0 } }
            default: break
            }
        }
    }
}
