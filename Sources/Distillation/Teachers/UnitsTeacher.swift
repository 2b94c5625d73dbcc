import Networks
import Numerics

/// A teacher that takes its inputs in units of its own, seen as one that takes standardised images: it is queried about
/// x deviation + mean, and its gradients are led back through that.
final class UnitsTeacher: WrappingTeacher {
    let wrapped: any Teacher
    private let restoring: Network

    init(_ teacher: any Teacher, _ units: InputUnits) throws {
        wrapped = teacher
        restoring = try Network(scaling: teacher.inputShape, units, .restoring)
    }

    func plan(_ images: Batch, gradients: Bool, _ compute: Compute) throws -> any TeacherPass {
        let scaling = try Pass(restoring, input: images, gradients: gradients ? .input : [], compute)
        return ScaledPass(scaling, try wrapped.plan(scaling.output, gradients: gradients, compute))
    }

    func planRegularizer(_ images: Batch, _ compute: Compute) throws -> (any ImageRegularizer)? {
        let scaling = try Pass(restoring, input: images, gradients: .input, compute)
        return try wrapped.planRegularizer(scaling.output, compute).map { ScaledRegularizer(scaling, $0) }
    }

    private final class ScaledPass: WrappingTeacherPass {
        let wrapped: any TeacherPass
        private let scaling: Pass

        init(_ scaling: Pass, _ teacher: any TeacherPass) {
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
            guard let gradient = wrapped.imagesGradient else { return }
            scaling.outputGradient?.load(gradient)
            scaling.backward()
        }
    }

    private final class ScaledRegularizer: ImageRegularizer {
        private let wrapped: any ImageRegularizer
        private let scaling: Pass

        init(_ scaling: Pass, _ regularizer: any ImageRegularizer) {
            (self.scaling, wrapped) = (scaling, regularizer)
        }

        var gradient: Batch { scaling.inputGradient ?? wrapped.gradient }

        func evaluate() throws -> Double {
            scaling.forward()
            let value = try wrapped.evaluate()
            scaling.outputGradient?.load(wrapped.gradient)
            scaling.backward()
            return value
        }
    }
}
