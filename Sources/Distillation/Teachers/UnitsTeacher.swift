import Networks
import Numerics

/// A teacher that takes its inputs in units of its own, seen as one that takes standardised images: it is queried about
/// x deviation + mean, and its gradients are led back through that. Where its inputs have a range, they are brought into it.
final class UnitsTeacher: WrappingTeacher {
    let wrapped: any Teacher
    private let units: TeacherUnits

    init(_ teacher: any Teacher, _ units: TeacherUnits) {
        (wrapped, self.units) = (teacher, units)
    }

    func plan(_ images: Batch, gradients: Bool, regularizerWeight: Double, _ compute: Compute) throws -> any TeacherPass {
        let scaling = try units.plan(images, gradients: gradients || regularizerWeight != 0, compute)
        return ScaledPass(
            scaling,
            try wrapped.plan(scaling.output, gradients: gradients, regularizerWeight: regularizerWeight, compute))
    }

    private final class ScaledPass: WrappingTeacherPass {
        let wrapped: any TeacherPass
        private let scaling: RestoringPass

        init(_ scaling: RestoringPass, _ teacher: any TeacherPass) {
            (self.scaling, wrapped) = (scaling, teacher)
        }

        var images: Batch { scaling.input }
        var imagesGradient: Batch? { wrapped.imagesGradient == nil ? nil : scaling.inputGradient }

        func forward() throws {
            scaling.forward()
            try wrapped.forward()
        }

        func backward() throws {
            try wrapped.backward()
            if let gradient = wrapped.imagesGradient { scaling.backward(gradient) }
        }
    }
}
