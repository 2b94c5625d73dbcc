import Networks
import Numerics
import Testing

@testable import Distillation

struct ProceduralSourceTests {
    private static func source(
        _ teacher: any Teacher, _ change: (inout DistillationOptions) -> Void = { _ in }
    ) throws -> ProceduralSource {
        let options = DistillationTests.options {
            ($0.imageSource, $0.seed) = (.procedural, 5)
            change(&$0)
        }
        return try ProceduralSource(teacher, options.units(of: teacher), options, Compute(threads: 1))
    }

    /// A run's bytes are those of its seed, with several threads too.
    @Test func theSameSeedGivesTheSameStudent() throws {
        func student(seed: UInt64, threads: Int) throws -> [Float] {
            let distillation = try Distillation(
                teacher: CrookedTeacher("mlp-64-16-4", .gradientTimes(0)),
                DistillationTests.options { ($0.imageSource, $0.seed, $0.threads) = (.procedural, seed, threads) })
            for _ in 0..<6 { try distillation.step() }
            return DistillationTests.weights(distillation.student)
        }
        for threads in [1, 3] { #expect(try student(seed: 1, threads: threads) == student(seed: 1, threads: threads)) }
        #expect(try student(seed: 1, threads: 1) != student(seed: 2, threads: 1))
    }

    /// Every candidate is a query, and what is kept are some of them, with the answers that the teacher gave.
    @Test func whatIsKeptHasTheTeachersAnswers() throws {
        let teacher = NetworkTeacher(try Network(architecture: "mlp-64-16-4", seed: 1))
        let source = try Self.source(teacher)
        let compute = try Compute(threads: 1)
        for _ in 0..<3 {
            let value = try source.next()
            #expect((1...4).contains(value.effectiveClasses))
            let pass = try teacher.plan(source.images, gradients: false, compute)
            try pass.forward()
            for i in 0..<16 {
                for k in 0..<4 { #expect(abs(pass.logits[i, k] - source.targets.logits[i, k]) < 1e-5) }
                for k in 0..<16 {
                    #expect(try abs(#require(pass.features)[i, k] - #require(source.targets.features)[i, k]) < 1e-5)
                }
            }
        }
    }

    @Test func queriesAreCountedAndBounded() throws {
        let distillation = try Distillation(
            teacher: CrookedTeacher("mlp-64-16-4", .none),
            DistillationTests.options { ($0.imageSource, $0.augmentation, $0.maxTeacherQueries) = (.procedural, 0, 2000) })
        let before = distillation.progress.teacherImages
        try distillation.step()
        // 1,900 over 6 steps of 16 images.
        #expect(distillation.progress.teacherImages - before == 16 * 16)
        let error = try #require(throws: DaflError.self) { while true { try distillation.step() } }
        #expect(error.status == .queriesSpent && distillation.progress.teacherImages <= 2000)
    }

    /// From what is left of a step's share of the queries when the student's have been asked.
    @Test(arguments: [(0, 1.0, 16), (96 * 4, 0, 3), (96 * 4, 1, 1), (96 * 8, 1, 5), (96 * 400, 1, 16), (5, 1, 1)])
    func asManyCandidatesAsQueriesAllow(queries: Int, augmentation: Double, choice: Int) {
        let options = DistillationTests.options { ($0.maxTeacherQueries, $0.augmentation) = (queries, augmentation) }
        #expect(ProceduralSource.choice(options) == choice)
    }

    /// What mimicking asks again counts too, and a step of a generator with differences costs more than one query an image.
    @Test func generatorsTakePartWhereQueriesAllow() throws {
        func generates(_ change: (inout DistillationOptions) -> Void) throws -> Bool {
            var options = DistillationTests.options {
                ($0.imageSource, $0.augmentation, $0.maxTeacherQueries) = (.auto, 0, 96 * 8)
            }
            change(&options)
            return options.generates(try Shape([64]))
        }
        #expect(try generates { _ in } && generates { $0.mimicWeight = 1 })
        #expect(try generates { ($0.gradients, $0.differenceDirections) = (.differences, 5) })
        #expect(try !generates { ($0.gradients, $0.differenceDirections) = (.differences, 6) })
        #expect(try !generates { ($0.mimicWeight, $0.studentSteps) = (1, 6) })
        #expect(try !generates { $0.maxTeacherQueries = 96 * 2 } && generates { $0.maxTeacherQueries = 0 })
        #expect(try generates { ($0.maxTeacherQueries, $0.generator) = (96 * 2, .perceptron) })
        #expect(try !generates { $0.imageSource = .procedural } && generates { $0.imageSource = .generator })
    }

    @Test func aRangeIsKeptTo() throws {
        let teacher = try CrookedTeacher("mlp-64-16-4", .none)
        let distillation = try Distillation(
            teacher: teacher, DistillationTests.options { ($0.imageSource, $0.inputHigh) = (.procedural, 255) })
        let made = try Tensor([50, 64])
        try distillation.generate(count: 50, images: made.pointer, logits: nil)
        #expect(made.numbers.allSatisfy { (0...255).contains($0) })
        #expect(try #require(made.numbers.min()) < 0.001 && #require(made.numbers.max()) > 250)
    }

    @Test func whatIsNoImageIsRefused() throws {
        for (architecture, kind) in [("mlp-64-16-4", GeneratorKind.auto), ("mlp-60-16-4", .convolution)] {
            let teacher = NetworkTeacher(try Network(architecture: architecture, seed: 1))
            let error = try #require(throws: DaflError.self) { try Self.source(teacher) { $0.generator = kind } }
            #expect(error.status == .unsupported)
        }
        _ = try Self.source(NetworkTeacher(try Network(architecture: "mlp-784-16-4", seed: 1))) { $0.generator = .auto }
    }
}

struct ClassBalanceTests {
    private static func logits(_ rows: [[Float]]) throws -> Tensor {
        let tensor = try Tensor([rows.count, rows[0].count])
        for (i, number) in rows.joined().enumerated() { tensor[i] = number }
        return tensor
    }

    private static func kept(_ rows: [[Float]], count: Int, first: Int = 0) throws -> [Int] {
        let places = try Indices(count: count)
        try ClassBalance(candidates: rows.count, classes: rows[0].count).keep(places, logits: logits(rows), first: first)
        return (0..<count).map { places[$0] }
    }

    private static let rows: [[Float]] = [
        [1, 0, 0], [9, 0, 0], [5, 0, 0], [900, 0, 0], [0, 2, 0], [0, 3, 2.9], [0, 0, 1],
    ]

    @Test func classesTakeTurnsAndTheSurestComeFirst() throws {
        #expect(try Self.kept(Self.rows, count: 7) == [3, 4, 6, 1, 5, 2, 0])
        #expect(try Self.kept(Self.rows, count: 4, first: 2) == [6, 3, 4, 1])
    }

    @Test func ofLabelsTheFirstCome() throws {
        #expect(try Self.kept([[1, 0], [1, 0], [0, 1], [1, 0]], count: 3) == [0, 2, 1])
    }

    /// Of a thousand classes most have none.
    @Test func manyClassesAreFilledFromFew() throws {
        let rows = (0..<40).map { i in
            var row = [Float](repeating: 0, count: 1000)
            row[990 + i % 3] = Float(i + 1)
            return row
        }
        #expect(try Self.kept(rows, count: 7, first: 991) == [37, 38, 39, 34, 35, 36, 31])
    }

    @Test func oneClassIsEnough() throws {
        #expect(try Self.kept([[1, 0], [2, 0], [3, 0]], count: 2) == [2, 1])
    }
}
