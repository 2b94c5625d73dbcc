import Networks
import Numerics
import Testing

@testable import Distillation

/// A run with steps that fail, at whatever call, or are cancelled, ends in the same bytes as one without.
struct UndoneStepTests {
    /// With dropout, whose masks are drawn step by step too.
    private static let student: Graph = {
        var graph = Graph("student", input: [64])
        graph.add(.linear, "fc1", ["outputs": 16])
        graph.feature = graph.add(.relu)
        graph.add(.dropout, ["rate": 0.2])
        graph.add(.linear, "fc2", ["outputs": 4])
        return graph
    }()

    @Test(
        arguments: [DistillationOptions.ImageSourceKind.auto, .generator, .noise, .data, .metadata, .procedural],
        [DistillationOptions.GradientKind.auto, .student, .differences])
    func failedStepsLeaveNoTrace(source: DistillationOptions.ImageSourceKind, gradients: DistillationOptions.GradientKind) throws {
        // Metadata needs gradients by features, which the student has none of.
        if source == .metadata, gradients == .student { return }
        let (means, deviations, images) = (try Tensor([16]), try Tensor([16]), try Tensor([23, 64]))
        for i in 0..<images.count { images[i] = Float(i % 13) / 6 - 1 }
        let labels = [Int64](0..<23).map { $0 % 4 }
        try labels.withUnsafeBufferPointer { labels in
            let options = DistillationTests.options {
                ($0.imageSource, $0.gradients, $0.restartSteps, $0.mimicWeight) = (source, gradients, 3, 0.1)
                $0.steps = 1000
                ($0.givenStudent, $0.studentDropout) = (.graph(Self.student), 1)
                if source == .metadata {
                    $0.metadata = FeatureMetadata(means: means.pointer, deviations: deviations.pointer, groups: 1)
                    $0.metadataSteps = 2
                }
                if source == .data {
                    $0.data = ImageData(images: images.pointer, labels: labels.baseAddress, count: 23)
                    $0.labelWeight = 0.5
                }
            }
            // Every 25th step is held out, and from the 41st on images are generated too.
            let steps = source == .auto ? 77 : 27
            func bytes(disturbed: Bool) throws -> [Float] {
                let teacher = try CrookedTeacher("mlp-64-16-4", .none)
                let distillation = try Distillation(teacher: teacher, answers: .logits, options)
                for step in 0..<steps {
                    if disturbed, source != .auto || (39...42).contains(step) || step % 25 == 24 {
                        var call = 1
                        while true {  // fail at the first call of the step, then at the second, until none is left
                            teacher.fault = .stopsAtCall(teacher.calls + call)
                            do { try distillation.step() } catch is CallbackStop {
                                call += 1
                                if step % 5 == 0 { distillation.cancellation.cancel() }
                                if step % 5 == 0 { try #require(throws: DaflError.self) { try distillation.step() } }
                                distillation.cancellation.clear()
                                continue
                            }
                            break
                        }
                        teacher.fault = .none
                    } else {
                        try distillation.step()
                    }
                }
                #expect(distillation.progress.step == steps)
                let made = try Tensor([8, 64])
                try distillation.generate(count: 8, images: made.pointer, logits: nil)
                return DistillationTests.weights(try distillation.selectedStudent()) + DistillationTests.weights(distillation.student)
                    + (distillation.generator.map(DistillationTests.weights) ?? []) + made.numbers
                    + [distillation.progress.agreement, distillation.progress.distillationLoss].map(Float.init)
                    + (source == .data ? [] : [Float(distillation.progress.holdoutAgreement)])
            }
            let (calm, disturbed) = (try bytes(disturbed: false), try bytes(disturbed: true))
            #expect(calm == disturbed)
        }
    }
}
