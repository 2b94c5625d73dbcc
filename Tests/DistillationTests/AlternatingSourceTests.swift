import Networks
import Numerics
import Testing

@testable import Distillation

struct AlternatingSourceTests {
    private let teacher: NetworkTeacher
    private let generating: GeneratorSource
    private let drawing: ProceduralSource
    private let source: AlternatingSource

    init() throws {
        teacher = NetworkTeacher(try Network(architecture: "mlp-64-16-4", seed: 1))
        let options = DistillationTests.options { $0.seed = 5 }
        let compute = try Compute(threads: 1)
        generating = try GeneratorSource(teacher, options, compute)
        drawing = try ProceduralSource(teacher, nil, options, compute)
        source = AlternatingSource(generating, drawing)
    }

    @Test func picturesComeFirstAndThenEachTurn() throws {
        var turns: [Bool] = []
        for _ in 0..<46 {
            _ = try source.next()
            _ = source.areFit(agreement: 1)
            turns.append(source.generatesNow)
        }
        #expect(turns.prefix(40).allSatisfy { !$0 })
        #expect(turns.suffix(6) == [false, true, false, true, false, true])
    }

    /// In a generated batch the student has to know half of the images, or two thirds of what it knows of pictures.
    @Test(arguments: [(1.0, 0.5), (0.9, 0.5), (0.5, 0.325), (0.1, 0.065)])
    func generatedImagesAreFitWhereTheStudentKnowsThem(ofPictures: Double, least: Double) throws {
        for _ in 0..<41 {
            _ = try source.next()
            #expect(source.areFit(agreement: ofPictures))
        }
        _ = try source.next()
        #expect(source.generatesNow && source.areFit(agreement: least + 1e-6) && !source.areFit(agreement: least - 1e-6))
        // What it knows of generated ones does not lower the bar.
        for _ in 0..<20 where !source.areFit(agreement: 0.01) {}
        #expect(!source.areFit(agreement: least - 1e-6))
    }

    /// Once there are both kinds, whatever the count.
    @Test(arguments: [1, 2, 7, 40], [0, 42])
    func samplesAreAsTheStepsImages(count: Int, steps: Int) throws {
        for _ in 0..<steps {
            _ = try source.next()
            _ = source.areFit(agreement: 1)
        }
        let (rows, expected) = (try Tensor([count, 64]), try Tensor([count, 64]))
        var random = Philox(seed: 3, stream: .samples), same = random
        try source.sample(&random, count: count, rows: rows.pointer)
        let generated = steps == 0 ? 0 : (count + 1) / 2
        if generated > 0 { try generating.sample(&same, count: generated, rows: expected.pointer) }
        if count > generated { try drawing.sample(&same, count: count - generated, rows: expected.pointer + 64 * generated) }
        #expect(rows.numbers == expected.numbers)
        #expect((source.generator == nil) == (steps == 0))
    }

    /// Pictures alone, as they come: two student steps ask about 16 images each.
    @Test func whereQueriesAreFewNothingIsGenerated() throws {
        let distillation = try Distillation(
            teacher: teacher, answers: .logits,
            DistillationTests.options {
                ($0.imageSource, $0.steps, $0.maxTeacherQueries, $0.augmentation) = (.auto, 60, 3 * 16 * 60 * 20 / 19 + 1, 1)
            })
        #expect(distillation.generator == nil)
        for _ in 0..<44 {
            let before = distillation.progress.teacherImages
            try distillation.step()
            #expect(distillation.progress.teacherImages - before == 3 * 16)
        }
    }

    @Test func whatCannotBeDrawnIsGenerated() throws {
        func generates(_ architecture: String, _ kind: GeneratorKind) throws -> Bool {
            let distillation = try Distillation(
                teacher: NetworkTeacher(try Network(architecture: architecture, seed: 1)),
                DistillationTests.options { ($0.imageSource, $0.generator, $0.student) = (.auto, kind, architecture) })
            let before = distillation.progress.teacherImages
            try distillation.step()
            return distillation.progress.teacherImages - before < 16 * 16
        }
        #expect(try generates("mlp-60-16-4", .auto) && generates("mlp-64-16-4", .perceptron))
        #expect(try !generates("mlp-64-16-4", .convolution))
    }
}
