import Networks
import Numerics
import Testing
import Training

@testable import Distillation

struct FeatureMimicTests {
    private let compute: Compute

    init() throws {
        compute = try Compute(threads: 1)
    }

    @Test func itsGradientIsItsSlope() throws {
        let (g, dg) = (try Batch(samples: 18, shape: Shape([5])), try Batch(samples: 18, shape: Shape([5])))
        let f = try Batch(samples: 18, shape: Shape([7]))
        var random = Philox(seed: 1, stream: .check)
        random.fillNormal(g)
        random.fillNormal(f)
        let mimic = try FeatureMimic(features: g, gradient: dg, teacherFeatures: 7, seed: 3, compute)
        _ = mimic.evaluate(teacher: f, weight: 2.5)
        let gradient = (0..<18).map { i in (0..<5).map { dg[i, $0] } }
        for (i, k) in [(0, 0), (3, 4), (16, 2), (17, 1)] {
            let value = g[i, k]
            g[i, k] = value + 0.01
            let above = mimic.evaluate(teacher: f, weight: 0)
            g[i, k] = value - 0.01
            let below = mimic.evaluate(teacher: f, weight: 0)
            g[i, k] = value
            #expect(abs(2.5 * (above - below) / 0.02 - Double(gradient[i][k])) < 1e-4)
        }
        let weight = try #require(mimic.map.parameter(named: "fc1.weight"))
        _ = mimic.evaluate(teacher: f, weight: 2.5)
        let byWeight = try #require(weight.gradient)[9]
        let value = weight.value[9]
        weight.value[9] = value + 0.01
        let above = mimic.evaluate(teacher: f, weight: 0)
        weight.value[9] = value - 0.01
        let below = mimic.evaluate(teacher: f, weight: 0)
        #expect(abs(2.5 * (above - below) / 0.02 - Double(byWeight)) < 1e-4)
    }

    /// The student's features come nearer to what a linear map can make of them.
    @Test func itMakesFeaturesAlike() throws {
        let teacher = try CrookedTeacher("mlp-64-16-4", .none)
        var options = Preset.fast.options
        (options.student, options.batchSize, options.threads) = ("mlp-64-8-4", 64, 1)
        options.mimicWeight = 1
        let student = try Network(architecture: options.student, seed: 4)
        let training = try StudentTraining(student, of: teacher, options, compute)
        let answer = try teacher.plan(training.images, gradients: false, compute)
        let before = (0..<8).map { student.parameters[0].value[$0] }
        var random = Philox(seed: 2, stream: .check)
        for _ in 0..<30 {
            random.fillNormal(training.images)
            try answer.forward()
            _ = try training.step(Targets(logits: answer.logits, features: answer.features), learningRate: 0.01)
        }
        #expect((0..<8).map { student.parameters[0].value[$0] } != before)
    }

    @Test func withoutFeaturesItIsRefused() throws {
        var options = Preset.fast.options
        (options.batchSize, options.threads, options.mimicWeight) = (16, 1, 1)
        for (teacher, student) in [("mlp-64-4", "mlp-64-16-4"), ("mlp-64-16-4", "mlp-64-4")] {
            options.student = student
            let error = try #require(throws: DaflError.self) {
                try Distillation(teacher: CrookedTeacher(teacher, .none), options)
            }
            #expect(error.status == .invalidArgument && error.description.contains("mimic_weight"))
        }
    }
}
