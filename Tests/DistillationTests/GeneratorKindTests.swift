import Networks
import Numerics
import Testing

@testable import Distillation

/// There is a generator for every input that a teacher can have.
struct GeneratorKindTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let input: [Int]
        let classes: Int
        var kind = GeneratorKind.auto
        /// Of the generator's architecture, without the latent size.
        let architecture: String
        var testDescription: String { "\(input) to \(classes) classes, \(kind)" }
    }

    static let cases = [
        Case(input: [1, 8, 8], classes: 3, architecture: "dafl-generator(latent=8,side=8,channels=1,width=4)"),
        Case(input: [1, 5, 7], classes: 2, architecture: "dafl-generator(latent=8,rows=5,columns=7,channels=1,width=4)"),
        Case(input: [3, 10, 6], classes: 1000, architecture: "dafl-generator(latent=8,rows=10,columns=6,channels=3,width=4)"),
        Case(input: [2, 30, 30], classes: 3, architecture: "dafl-generator(latent=8,side=30,channels=2,width=4)"),
        Case(input: [2, 1, 9], classes: 2, architecture: "dafl-generator(latent=8,rows=1,columns=9,channels=2,width=4)"),
        Case(input: [3, 2, 1], classes: 3, architecture: "dafl-generator(latent=8,rows=2,columns=1,channels=3,width=4)"),
        Case(input: [256], classes: 3, architecture: "dafl-generator(latent=8,side=16,channels=1,width=4)"),
        Case(input: [784, 1, 1], classes: 10, architecture: "dafl-generator(latent=8,side=28,channels=1,width=4)"),
        Case(input: [9], classes: 2, kind: .convolution, architecture: "dafl-generator(latent=8,side=3,channels=1,width=4)"),
        Case(input: [1], classes: 2, architecture: "dafl-vector-generator(latent=8,outputs=1,width=32)"),
        Case(input: [4], classes: 2, architecture: "dafl-vector-generator(latent=8,outputs=4,width=32)"),
        Case(input: [13], classes: 1000, architecture: "dafl-vector-generator(latent=8,outputs=13,width=32)"),
        Case(input: [64, 1, 1], classes: 3, architecture: "dafl-vector-generator(latent=8,outputs=64,width=32)"),
        Case(input: [324], classes: 3, architecture: "dafl-vector-generator(latent=8,outputs=324,width=32)"),
        Case(input: [784], classes: 3, kind: .perceptron, architecture: "dafl-vector-generator(latent=8,outputs=784,width=32)"),
        Case(
            input: [2, 5, 7], classes: 3, kind: .perceptron,
            architecture: "dafl-vector-generator(latent=8,outputs=70,width=32)"),
    ]

    /// A linear teacher of any input.
    private func teacher(_ input: [Int], classes: Int) throws -> NetworkTeacher {
        var graph = Graph("linear", input: input)
        graph.add(.linear, "fc", ["outputs": .integer(classes)])
        let network = try Network(graph)
        var random = Philox(seed: 1, stream: .weights)
        network.initialise(&random)
        return NetworkTeacher(network)
    }

    private func distillation(
        _ input: [Int], classes: Int, _ kind: GeneratorKind, _ change: (inout DistillationOptions) -> Void = { _ in }
    ) throws -> Distillation {
        var options = Preset.fast.options
        options.imageSource = .generator
        options.student = "mlp-\(input.reduce(1, *))-8-\(classes)"
        options.threads = 2
        options.steps = 3
        options.batchSize = 18
        options.studentSteps = 2
        options.replayCapacity = 64
        options.restartSteps = 2
        options.generator = kind
        options.generatorWidth = 4
        options.latentSize = 8
        change(&options)
        return try Distillation(teacher: teacher(input, classes: classes), options)
    }

    @Test(arguments: cases) func everyInputIsMadeAndLearnedFrom(_ test: Case) throws {
        let distillation = try distillation(test.input, classes: test.classes, test.kind)
        #expect(distillation.generator?.architecture == test.architecture)
        for _ in 0..<3 { try distillation.step() }
        #expect(distillation.progress.losses.total.isFinite && distillation.progress.distillationLoss.isFinite)

        let elements = test.input.reduce(1, *)
        let images = try Tensor([20, elements])
        images.fill(.nan)
        try distillation.generate(count: 20, images: images.pointer, logits: nil)
        #expect(images.isFinite)
        // Every pixel is painted anew in each image.
        for pixel in 0..<elements { #expect(Set((0..<20).map { images[$0 * elements + pixel] }).count > 1) }
    }

    /// Also through what is cropped away.
    @Test(arguments: [[13], [2, 5, 7], [3, 8, 8]]) func everyGeneratorLearns(input: [Int]) throws {
        func loss(learningRate: Double) throws -> Double {
            let distillation = try distillation(input, classes: 3, .auto) {
                ($0.generatorLearningRate, $0.restartSteps, $0.studentSteps) = (learningRate, 0, 0)
            }
            for _ in 0..<40 { try distillation.step() }
            return distillation.progress.losses.total
        }
        #expect(try loss(learningRate: 0.1) < loss(learningRate: 0) - 0.1)
    }

    @Test(arguments: [[5], [65], [12, 1, 1]]) func noConvolutionMakesAVectorThatIsNoSquare(input: [Int]) throws {
        let error = try #require(throws: DaflError.self) { try distillation(input, classes: 3, .convolution) }
        #expect(error.status == .unsupported)
        #expect(error.description.contains("perceptron"))
    }

    /// Only images are moved and turned, about which the teacher is then asked again.
    @Test(arguments: [([1, 5, 7], true), ([256], true), ([64], false), ([1, 3, 9], false)])
    func vectorsAreNotAugmented(input: [Int], isAugmented: Bool) throws {
        let distillation = try distillation(input, classes: 3, .auto)
        let before = distillation.progress.teacherImages
        try distillation.step()
        #expect(distillation.progress.teacherImages - before == 18 * (isAugmented ? 3 : 1))
    }
}
