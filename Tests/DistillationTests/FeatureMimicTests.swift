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

    /// With mimicking, the student's features come nearer to what a linear map can make of them than without.
    @Test func itMakesFeaturesAlike() throws {
        let (with, without) = (try distance(mimicWeight: 1), try distance(mimicWeight: 1e-12))
        #expect(with < 0.8 * without, "\(with), not much less than \(without)")
    }

    /// The least mean squared distance of a map of a trained student's features to the teacher's.
    private func distance(mimicWeight: Double) throws -> Double {
        let teacher = try CrookedTeacher("mlp-64-16-4", .none)
        var options = Preset.fast.options
        (options.student, options.batchSize, options.threads) = ("mlp-64-8-4", 64, 1)
        options.mimicWeight = mimicWeight
        let student = try Network(architecture: options.student, seed: 4)
        let training = try StudentTraining(student, of: teacher, options, compute)
        let answer = try teacher.plan(training.images, gradients: false, compute)
        var random = Philox(seed: 2, stream: .check)
        for _ in 0..<200 {
            random.fillNormal(training.images)
            try answer.forward()
            _ = try training.step(Targets(logits: answer.logits, features: answer.features), learningRate: 0.01)
        }

        // A map learned afterwards, the student staying as it is.
        let pass = try Pass(student, input: training.images, compute)
        let features = try #require(pass.features)
        let gradient = try Batch(samples: features.samples, shape: features.shape)
        let mimic = try FeatureMimic(
            features: features, gradient: gradient, teacherFeatures: teacher.features, seed: 3, compute)
        let optimizer = try Adam(mimic.map.trainedParameters, compute)
        var last = Double.infinity
        for _ in 0..<400 {
            pass.forward()
            last = mimic.evaluate(teacher: try #require(answer.features), weight: 1)
            optimizer.step(learningRate: 0.02)
        }
        return last
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
