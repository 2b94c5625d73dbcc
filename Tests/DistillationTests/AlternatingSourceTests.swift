import Networks
import Numerics
import Testing

@testable import Distillation

struct AlternatingSourceTests {
    private let teacher: NetworkTeacher
    private let source: AlternatingSource

    init() throws {
        teacher = NetworkTeacher(try Network(architecture: "mlp-64-16-4", seed: 1))
        let options = DistillationTests.options { $0.seed = 5 }
        let compute = try Compute(threads: 1)
        source = AlternatingSource(
            try GeneratorSource(teacher, options, compute), try ProceduralSource(teacher, nil, options, compute))
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

    /// Each half as its own source makes it, whatever the count; and a step afterwards is what it would have been.
    @Test(arguments: [1, 2, 7, 40])
    func samplesAreOfBothKinds(count: Int) throws {
        let rows = try Tensor([count, 64])
        var random = Philox(seed: 3, stream: .samples)
        try source.sample(&random, count: count, rows: rows.pointer)
        for i in 0..<count {
            // A drawn picture has an empty ground: its least number is that of many pixels.
            let picture = (0..<64).map { rows[i * 64 + $0] }
            let least = try #require(picture.min())
            #expect((picture.count { $0 == least } > 1) == (i >= (count + 1) / 2))
        }
    }

    /// Pictures alone, as they come: two student steps ask about 16 images each.
    @Test func whereQueriesAreFewNothingIsGenerated() throws {
        let distillation = try Distillation(
            teacher: teacher, answers: .logits,
            DistillationTests.options {
                ($0.imageSource, $0.steps, $0.maxTeacherQueries, $0.augmentation) = (.auto, 60, 3 * 16 * 60 + 500, 1)
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
