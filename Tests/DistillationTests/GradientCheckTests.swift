import Networks
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

    @Test(arguments: [CrookedTeacher.Fault.gradientTimes(0.8), .gradientTimes(-1), .gradientTimes(0), .forgetsFeatures])
    func wrongGradientsAreToldInNumbers(fault: CrookedTeacher.Fault) throws {
        let teacher = try CrookedTeacher("lenet5", fault)
        let error = try #require(throws: DaflError.self) { try checkGradients(of: teacher, seed: 0, compute) }
        #expect(error.status == .teacher)
        #expect(error.description.contains(fault == .forgetsFeatures ? "features" : "logits"))
        #expect(error.description.contains("0.15"))
    }

    /// Rectifiers, three layers of batch normalisation and one number for the whole batch: honest, whatever the seed.
    @Test func honestRegularizersPass() throws {
        for seed in 0..<40 {
            let teacher = try BentTeacher(seed: UInt64(seed))
            try checkRegularizer(of: teacher, seed: UInt64(seed), compute)
            teacher.factor = 0.5
            #expect(throws: DaflError.self) { try checkRegularizer(of: teacher, seed: UInt64(seed), compute) }
        }
    }

    @Test(arguments: [Float(1e30), -1e30, .infinity]) func hugeNumbersAreAnErrorAndNoCrash(factor: Float) throws {
        let teacher = try BentTeacher(seed: 1)
        teacher.factor = factor
        teacher.scale = 1e200
        let error = try #require(throws: DaflError.self) { try checkRegularizer(of: teacher, seed: 1, compute) }
        #expect(error.status == .teacher)
    }

    @Test func aForgottenRowIsFound() throws {
        let teacher = try CrookedTeacher("mlp-64-16-4", .forgetsPixels(8..<16))
        #expect(throws: DaflError.self) { try checkGradients(of: teacher, seed: 0, compute) }
    }
}

/// A network whose regularizer is the distance of its features' means to 1, as batch-norm statistics would be.
private final class BentTeacher: WrappingTeacher {
    let wrapped: any Teacher
    var factor: Float = 1
    var scale = 1.0

    init(seed: UInt64) throws {
        wrapped = NetworkTeacher(try Network(architecture: "mlp-64-16-16-4", seed: seed))
    }

    var hasRegularizer: Bool { true }

    func plan(_ images: Batch, gradients: Bool, regularizerWeight: Double, _ compute: Compute) throws -> any TeacherPass {
        let pass = try wrapped.plan(images, gradients: gradients, compute)
        guard regularizerWeight != 0 else { return pass }
        let own = try wrapped.plan(images, gradients: true, compute)
        return try RegularizedPass(pass, weight: regularizerWeight) { [self] in try distance(own, $0) }
    }

    private func distance(_ pass: any TeacherPass, _ gradient: Batch) throws -> Double {
        try pass.forward()
        guard let features = pass.features, let byFeatures = pass.featuresGradient else { return 0 }
        let n = features.samples
        let differences = (0..<features.elements).map { k in
            (0..<n).reduce(Float(0)) { $0 + features[$1, k] / Float(n) } - 1
        }
        let distance = differences.reduce(0) { $0 + $1 * $1 }.squareRoot()
        for i in 0..<n { for (k, d) in differences.enumerated() { byFeatures[i, k] = d / distance / Float(n) } }
        try pass.backward()
        if let dx = pass.imagesGradient { gradient.load(dx) }
        for i in 0..<gradient.count { gradient.pointer[i] *= factor }
        return scale * Double(distance)
    }
}
