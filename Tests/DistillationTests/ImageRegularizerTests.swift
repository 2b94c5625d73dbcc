import Networks
import Numerics
import Testing

@testable import Distillation

/// What a teacher says of images beside its answers reaches the generator, as it is and to the right degree.
struct ImageRegularizerTests {
    private let compute: Compute
    private let options: DistillationOptions

    init() throws {
        compute = try Compute(threads: 1)
        var options = Preset.fast.options
        options.imageSource = .generator
        (options.batchSize, options.generatorWidth, options.latentSize, options.threads) = (8, 4, 5, 1)
        (options.replayCapacity, options.generatorLearningRate) = (0, 0)  // the tests move the weights
        options.lossWeights = GeneratorLoss.Weights(oneHot: 0.5, activation: 0.1, entropy: 2, regularizer: 3)
        self.options = options
    }

    @Test func theGeneratorsGradientIsTheLosssDerivative() throws {
        let source = try GeneratorSource(PartialTeacher(), options, compute)
        var random = Philox(seed: 5, stream: .noise)
        random.fillNormal(source.noise)
        let losses = try source.learn()
        #expect(losses.regularizer > 0)
        let weights = options.lossWeights
        let sum = weights.oneHot * losses.oneHot + weights.activation * losses.activation + weights.entropy * losses.entropy
        #expect(abs(losses.total - sum - 3 * losses.regularizer) < 1e-12)

        let painting = try #require(source.network.trainedParameters.first { $0.name == "conv3.weight" })
        let gradient = try #require(painting.gradient)
        for index in [0, 7, 13] {
            let (byGradient, weight, distance) = (Double(gradient[index]), painting.value[index], Float(1e-2))
            painting.value[index] = weight + distance
            let ahead = try source.learn().total
            painting.value[index] = weight - distance
            let behind = try source.learn().total
            painting.value[index] = weight
            let difference = (ahead - behind) / (2 * Double(distance))
            #expect(abs(byGradient - difference) < 0.02 * abs(difference) + 1e-3, "\(byGradient), not \(difference)")
            _ = try source.learn()
        }
    }

    @Test func withoutAWeightItIsNotAsked() throws {
        var options = options
        options.lossWeights.regularizer = 0
        let teacher = try PartialTeacher()
        let distillation = try Distillation(teacher: teacher, options)
        try distillation.step()
        #expect(teacher.evaluations == 0)
        #expect(distillation.progress.losses.regularizer == 0)
    }

    @Test func aWrongGradientIsFound() throws {
        let teacher = try PartialTeacher()
        try checkRegularizer(of: teacher, seed: 0, compute)
        teacher.factor = 0.7
        let error = try #require(throws: DaflError.self) { _ = try Distillation(teacher: teacher, options) }
        #expect(error.status == .teacher && error.description.contains("regularizer"))
    }

    @Test(arguments: [Answers.probabilities, .labels])
    func teachersThatOnlyAnswerMayHaveOne(answers: Answers) throws {
        let teacher = try PartialTeacher()
        teacher.isProbable = true
        let distillation = try Distillation(teacher: teacher, answers: answers, options)
        try distillation.step()
        #expect(distillation.progress.losses.regularizer > 0)
    }
}

/// A network that would rather see a certain image y than others: R = 1/(2 n) sum (x - y)^2.
private final class PartialTeacher: WrappingTeacher {
    let wrapped: any Teacher
    var givesGradients: Bool { !isProbable }
    var factor: Float = 1
    var isProbable = false
    fileprivate(set) var evaluations = 0

    init() throws {
        wrapped = NetworkTeacher(try Network(architecture: "lenet5", seed: 1))
    }

    var hasRegularizer: Bool { true }

    func plan(_ images: Batch, gradients: Bool, regularizerWeight: Double, _ compute: Compute) throws -> any TeacherPass {
        let pass = try wrapped.plan(images, gradients: gradients, compute)
        let answers: any TeacherPass = isProbable ? EvenPass(pass) : pass
        guard regularizerWeight != 0 else { return answers }
        let favourite = try Batch(samples: 1, shape: images.shape)
        var random = Philox(seed: 7, stream: .check)
        random.fillNormal(favourite)
        return try RegularizedPass(answers, weight: regularizerWeight) { [self] gradient in
            evaluations += 1
            var sum = 0.0
            for i in 0..<images.samples {
                for k in 0..<images.elements {
                    let difference = images[i, k] - favourite[0, k]
                    gradient[i, k] = factor * difference / Float(images.samples)
                    sum += Double(difference * difference) / Double(2 * images.samples)
                }
            }
            return sum
        }
    }

    /// All classes alike.
    private final class EvenPass: WrappingTeacherPass {
        let wrapped: any TeacherPass

        init(_ pass: any TeacherPass) {
            wrapped = pass
        }

        func forward() throws {
            try wrapped.forward()
            for i in 0..<logits.samples { for k in 0..<logits.elements { logits[i, k] = 1 / Float(logits.elements) } }
        }

        func backward() throws { try wrapped.backward() }
    }
}
