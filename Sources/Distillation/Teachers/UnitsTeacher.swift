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

    func plan(_ images: Batch, gradients: Bool, _ compute: Compute) throws -> any TeacherPass {
        let scaling = try units.plan(images, gradients: gradients, compute)
        return ScaledPass(scaling, try wrapped.plan(scaling.output, gradients: gradients, compute))
    }

    func planRegularizer(_ images: Batch, _ compute: Compute) throws -> (any ImageRegularizer)? {
        let scaling = try units.plan(images, gradients: true, compute)
        return try wrapped.planRegularizer(scaling.output, compute).map { ScaledRegularizer(scaling, $0) }
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

    private final class ScaledRegularizer: ImageRegularizer {
        private let wrapped: any ImageRegularizer
        private let scaling: RestoringPass

        init(_ scaling: RestoringPass, _ regularizer: any ImageRegularizer) {
            (self.scaling, wrapped) = (scaling, regularizer)
        }

        var gradient: Batch { scaling.inputGradient ?? wrapped.gradient }

        func evaluate() throws -> Double {
            scaling.forward()
            let value = try wrapped.evaluate()
            scaling.backward(wrapped.gradient)
            return value
        }
    }
}
