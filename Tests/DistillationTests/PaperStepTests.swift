import Formats
import Networks
import Numerics
import Testing
import Training

@testable import Distillation

/// Holds training steps of the `paper` preset against PyTorch's, as scripts/make-parity-fixture recorded them in float64.
struct PaperStepTests {
    private let fixture: SafetensorsFile
    private let source: GeneratorSource
    private let training: StudentTraining
    private let compute: Compute
    private let studentRate: Double
    private static let samples = 33
    /// A batch normalisation follows these biases and takes the mean away again, so their gradient is rounding alone.
    private static let ineffective = ["conv1.bias", "conv2.bias"]

    init() throws {
        fixture = try SafetensorsFile(path: Fixture.path("paper-step.safetensors"))
        compute = try Compute(threads: 2)
        let rates = try fixture.tensor(named: "learning_rates")
        var options = Preset.paper.options
        options.batchSize = Self.samples
        options.generatorWidth = 8
        options.generatorLearningRate = Double(rates[0])
        options.student = "lenet5-half"
        studentRate = Double(rates[1])

        let teacher = try Network(architecture: "lenet5", seed: 0)
        try fixture.load("teacher", into: teacher)
        source = try GeneratorSource(NetworkTeacher(teacher), options, compute)
        try fixture.load("generator", into: source.network)
        training = try StudentTraining(
            Network(architecture: options.student, seed: 0), of: NetworkTeacher(teacher), options, compute)
        try fixture.load("student", into: training.network)
    }

    private func step(_ index: Int) throws -> (generator: GeneratorLoss.Value, distillation: Double) {
        let noise = try fixture.tensor(named: "noise")
        source.noise.load(rows: noise.pointer + index * Self.samples * source.noise.elements, compute)
        let losses = try source.learn()
        training.images.load(source.images)
        return (losses, try training.step(source.targets, learningRate: studentRate))
    }

    @Test func theFirstStepIsPyTorchs() throws {
        let (losses, distillation) = try step(0)

        for (name, value) in [
            ("one_hot", losses.oneHot), ("activation", losses.activation), ("entropy", losses.entropy),
            ("generator", losses.total), ("distillation", distillation),
        ] {
            let expected = Double(try fixture.tensor(named: "losses.\(name)")[0])
            #expect(abs(value - expected) < 1e-4 * abs(expected), "L of \(name): \(value), not \(expected)")
        }
        #expect(try difference(rows(source.images), "images") < 1e-4)
        #expect(try difference(rows(source.targets.logits), "logits") < 1e-4)

        let largestGradient = source.network.parameters.compactMap(\.gradient).map(largest).reduce(0, max)
        for (prefix, network) in [("generator", source.network), ("student", training.network)] {
            for parameter in network.parameters {
                if let gradient = parameter.gradient {
                    if prefix == "generator", Self.ineffective.contains(parameter.name) {
                        #expect(largest(gradient) < 1e-4 * largestGradient, "\(parameter.name): \(largest(gradient)) of \(largestGradient)")
                        continue
                    }
                    let error = try difference(gradient, "gradient.\(prefix).\(parameter.name)")
                    #expect(error < 1e-4, "gradient of \(prefix).\(parameter.name): relative error \(error)")
                }
                let error = try difference(parameter.value, "after.\(prefix).\(parameter.name)")
                #expect(error < 1e-4, "\(prefix).\(parameter.name) after the step: relative error \(error)")
            }
        }
    }

    @Test func theLossesOfTwentyStepsArePyTorchs() throws {
        let (generator, distillation) = (
            try fixture.tensor(named: "curve.generator"), try fixture.tensor(named: "curve.distillation")
        )
        #expect(generator.count == 20)
        for index in 0..<generator.count {
            let losses = try step(index)
            let errors = (
                abs(losses.generator.total / Double(generator[index]) - 1), abs(losses.distillation / Double(distillation[index]) - 1)
            )
            #expect(max(errors.0, errors.1) < 1e-4, "step \(index + 1): relative errors \(errors)")
        }
    }

    private func rows(_ batch: Batch) throws -> Tensor {
        let rows = try Tensor([batch.samples, batch.elements])
        batch.store(rows: rows.pointer, compute)
        return rows
    }

    /// The largest difference from a stored tensor, relative to its largest number.
    private func difference(_ tensor: Tensor, _ name: String) throws -> Float {
        let expected = try fixture.tensor(named: name)
        try #require(expected.count == tensor.count)
        return (0..<tensor.count).reduce(0) { max($0, abs(tensor[$1] - expected[$1])) } / largest(expected)
    }

    private func largest(_ tensor: Tensor) -> Float {
        (0..<tensor.count).reduce(0) { max($0, abs(tensor[$1])) }
    }
}

extension SafetensorsFile {
    /// Sets a network's tensors to those stored under a prefix.
    fileprivate func load(_ prefix: String, into network: Network) throws {
        for parameter in network.parameters { parameter.value.load(try tensor(named: "\(prefix).\(parameter.name)")) }
    }
}
