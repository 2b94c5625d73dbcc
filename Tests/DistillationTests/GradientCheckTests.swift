import Numerics
import Testing

@testable import Distillation

/// A right gradient passes whatever the network and the seed, a wrong one does not.
struct GradientCheckTests {
    private let compute: Compute

    init() throws {
        compute = try Compute(threads: 1)
    }

    @Test(arguments: ["lenet5", "lenet5-half(channels=3,classes=26)", "mlp-64-16-4", "mlp-64-4"])
    func honestTeachersPass(architecture: String) throws {
        for seed in 0..<5 {
            let teacher = try CrookedTeacher(architecture, seed: UInt64(seed), .none)
            try checkGradients(of: teacher, seed: UInt64(seed), compute)
        }
    }

    @Test(arguments: [CrookedTeacher.Fault.gradientTimes(0.9), .gradientTimes(-1), .gradientTimes(0), .forgetsFeatures])
    func wrongGradientsAreToldInNumbers(fault: CrookedTeacher.Fault) throws {
        let teacher = try CrookedTeacher("lenet5", fault)
        let error = try #require(throws: DaflError.self) { try checkGradients(of: teacher, seed: 0, compute) }
        #expect(error.status == .teacher)
        #expect(error.description.contains(fault == .forgetsFeatures ? "features" : "logits"))
        #expect(error.description.contains("0.05"))
    }

    @Test func aForgottenPixelIsFound() throws {
        let teacher = try CrookedTeacher("mlp-64-16-4", .forgetsPixel(13))
        #expect(throws: DaflError.self) { try checkGradients(of: teacher, seed: 0, compute) }
    }
}
