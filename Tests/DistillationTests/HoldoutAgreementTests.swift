import Networks
import Numerics
import Testing
import Training

@testable import Distillation

struct HoldoutAgreementTests {
    private let teacher: NetworkTeacher
    private let compute: Compute

    init() throws {
        teacher = NetworkTeacher(try Network(architecture: "mlp-64-16-4", seed: 1))
        compute = try Compute(threads: 1)
    }

    private func agreement(
        of student: Network, _ change: (inout DistillationOptions) -> Void = { _ in }
    ) throws -> HoldoutAgreement? {
        let options = DistillationTests.options(change)
        let queried = try QueriedTeacher(teacher, .logits, options, Cancellation(), compute) { _, _ in }
        return try HoldoutAgreement(queried, student: student, options, compute)
    }

    @Test func theTeacherItselfAgreesWithAll() throws {
        #expect(try agreement(of: teacher.network.copy())?.value() == 1)
    }

    /// Reckoned again from the pictures, class by class: classes that the teacher seldom names count as much.
    @Test func eachClassCountsAlike() throws {
        let student = try Network(architecture: "mlp-64-16-4", seed: 2)
        let pictures = try ProceduralPictures((1, 8, 8), standardised: nil, compute)
        let (rows, theirs, ours) = (try Tensor([512, 64]), try Tensor([512, 4]), try Tensor([512, 4]))
        pictures.draw(seed: 9, first: 1 << 38, count: 512, rows: rows.pointer)
        try Predictor(teacher.network, compute).predict(rows: rows.pointer, count: 512, outputs: theirs.pointer)
        try Predictor(student, compute).predict(rows: rows.pointer, count: 512, outputs: ours.pointer)
        let shares = (0..<4).compactMap { label -> Double? in
            let places = (0..<512).filter { theirs.argmax(row: $0) == label }
            let agreed = places.count { ours.argmax(row: $0) == label }
            return places.count < 5 ? nil : Double(agreed) / Double(places.count)
        }
        let expected = shares.reduce(0, +) / Double(shares.count)
        #expect(shares.count > 1 && Set(shares).count > 1)
        let found = try #require(try agreement(of: student) { $0.seed = 9 })
        #expect(try abs(#require(try found.value()) - expected) < 1e-12)
        #expect(try abs(#require(try found.value()) - expected) < 1e-12)
    }

    @Test func itIsLeftOutWhereNothingCanBeDrawnOrAsked() throws {
        #expect(try agreement(of: teacher.network) { $0.generator = .perceptron } == nil)
        #expect(try agreement(of: teacher.network) { $0.maxTeacherQueries = 10_000 } == nil)
        #expect(try agreement(of: teacher.network) { $0.maxTeacherQueries = 30_000 } != nil)
    }

    /// The teacher is queried once, at the 25th step; a run that ends far off says so, and one that ends near does not.
    @Test(arguments: [(false, 1), (true, 0)]) func aRunTellsIt(isTeacherItself: Bool, warnings: Int) throws {
        var lines: [String] = []
        let distillation = try Distillation(
            teacher: teacher,
            DistillationTests.options {
                ($0.steps, $0.studentLearningRate, $0.augmentation) = (27, 0, 0)
                if isTeacherItself { $0.givenStudent = .network(teacher.network) } else { $0.seed = 3 }
            }
        ) { level, line in
            if level == .warning, line.contains("nobody learned from") { lines.append(line) }
        }
        var asked: [Int] = []
        for step in 0..<27 {
            let before = distillation.progress.teacherImages
            try distillation.step()
            asked.append(distillation.progress.teacherImages - before)
            #expect(distillation.progress.holdoutAgreement.isNaN == (step < 24))
        }
        #expect(asked == (0..<27).map { $0 == 24 ? 16 + 512 : 16 })
        #expect(lines.count == warnings)
        #expect((distillation.progress.holdoutAgreement == 1) == isTeacherItself)
    }

    @Test func dataHasNone() throws {
        let images = try Tensor([16, 64])
        let distillation = try Distillation(
            teacher: teacher,
            DistillationTests.options {
                ($0.steps, $0.imageSource) = (1, .data)
                $0.data = ImageData(images: images.pointer, labels: nil, count: 16)
            })
        try distillation.step()
        #expect(distillation.progress.holdoutAgreement.isNaN)
    }
}
