import Networks
import Numerics
import Testing

@testable import Distillation

struct PatienceTests {
    /// A student that cannot learn does not get better.
    @Test(arguments: [DistillationOptions.ImageSourceKind.procedural, .data])
    func aRunThatGetsNoBetterEnds(source: DistillationOptions.ImageSourceKind) throws {
        let images = try Tensor([32, 64])
        let options = DistillationTests.options {
            ($0.imageSource, $0.steps, $0.patience, $0.studentLearningRate) = (source, 1000, 60, 0)
            if source == .data { $0.data = ImageData(images: images.pointer, labels: nil, count: 32) }
        }
        let run = try Distillation(teacher: NetworkTeacher(Network(architecture: "mlp-64-16-4", seed: 1)), options)
        while !run.isDone { try run.step() }
        #expect(run.progress.step == (source == .data ? 61 : 85))
    }

    @Test func withoutPatienceAllStepsAreDone() throws {
        let options = DistillationTests.options { ($0.steps, $0.studentLearningRate) = (90, 0) }
        let run = try Distillation(teacher: NetworkTeacher(Network(architecture: "mlp-64-16-4", seed: 1)), options)
        while !run.isDone { try run.step() }
        #expect(run.progress.step == 90)
    }

    @Test func onlyABetterOneCounts() {
        var options = Preset.fast.options
        options.patience = 3
        var patience = Patience(options)
        #expect(!patience.isOver(step: 1000))
        for (step, quality) in [0.5, 0.6, 0.6, 0.4, 0.6].enumerated() { patience.see(quality, step: step + 1) }
        #expect(patience.bestStep == 2)
        #expect(!patience.isOver(step: 4) && patience.isOver(step: 5))
    }
}
