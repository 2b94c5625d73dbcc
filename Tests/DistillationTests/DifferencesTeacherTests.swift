import Networks
import Numerics
import Testing

@testable import Distillation

/// Finite differences in random directions are a gradient on average, and ask no more than they say.
struct DifferencesTeacherTests {
    private let compute: Compute

    init() throws {
        compute = try Compute(threads: 1)
    }

    /// Against the exact vector-Jacobian product, by logits and features.
    ///
    /// For N directions of random signs, an estimate's product with the gradient is the gradient's squared length, with a
    /// standard error of at most sqrt(2 / N) of it, and one pixel's standard error is at most the gradient's length over
    /// sqrt(N).
    @Test func theMeanIsTheGradient() throws {
        let (samples, pixels, directions, repeats) = (19, 16, 1024, 4)
        let network = NetworkTeacher(try Network(architecture: "mlp-16-8-4", seed: 1))
        let images = try Batch(samples: samples, shape: network.inputShape)
        let exact = try network.plan(images, gradients: true, compute)
        let estimate = try DifferencesTeacher(network, directions: directions, seed: 5).plan(images, gradients: true, compute)
        var random = Philox(seed: 2, stream: .check)
        random.fillNormal(images)
        func draw(_ gradient: Batch?, alsoFor other: Batch?) throws {
            random.fillNormal(try #require(gradient))
            try #require(other).load(try #require(gradient))
        }
        try draw(exact.logitsGradient, alsoFor: estimate.logitsGradient)
        try draw(exact.featuresGradient, alsoFor: estimate.featuresGradient)

        for pass in [exact, estimate] { try pass.forward() }
        try exact.backward()
        let gradient = try #require(exact.imagesGradient)
        var mean = Array(repeating: 0.0, count: samples * pixels)
        for _ in 0..<repeats {
            try estimate.backward()
            let part = try #require(estimate.imagesGradient)
            for i in 0..<samples {
                for pixel in 0..<pixels { mean[i * pixels + pixel] += Double(part[i, pixel]) / Double(repeats) }
            }
            // Lanes without a sample.
            #expect((pixels * 16..<pixels * 32).allSatisfy { $0 % 16 < samples - 16 || part.pointer[$0] == 0 })
        }

        let count = Double(directions * repeats)
        var scales = 0.0
        for i in 0..<samples {
            let (g, e) = ((0..<pixels).map { Double(gradient[i, $0]) }, Array(mean[i * pixels..<(i + 1) * pixels]))
            func product(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
            let length = product(g, g).squareRoot()
            #expect(product(g, e) / (length * product(e, e).squareRoot()) > 0.99)
            for pixel in 0..<pixels { #expect(abs(e[pixel] - g[pixel]) < 5 * length / count.squareRoot()) }
            scales += product(g, e) / (length * length) / Double(samples)
        }
        #expect(abs(scales - 1) < 5 * (2 / count / Double(samples)).squareRoot())
    }

    /// The answers to the images themselves stay what they were: the student learns from them afterwards.
    @Test func theAnswersSurviveIt() throws {
        let network = NetworkTeacher(try Network(architecture: "mlp-16-8-4", seed: 1))
        let images = try Batch(samples: 3, shape: network.inputShape)
        let pass = try DifferencesTeacher(network, directions: 2, seed: 5).plan(images, gradients: true, compute)
        var random = Philox(seed: 2, stream: .check)
        random.fillNormal(images)
        let before = (0..<images.count).map { images.pointer[$0] }
        try pass.forward()
        let logits = (0..<pass.logits.count).map { pass.logits.pointer[$0] }
        try pass.backward()
        #expect(before == (0..<images.count).map { images.pointer[$0] })
        #expect(logits == (0..<pass.logits.count).map { pass.logits.pointer[$0] })
    }

    private func distillation(
        _ teacher: any Teacher, answers: Answers = .logits, _ change: (inout DistillationOptions) -> Void = { _ in }
    ) throws -> Distillation {
        try Distillation(
            teacher: teacher, answers: answers,
            DistillationTests.options {
                $0.gradients = .differences
                change(&$0)
            })
    }

    @Test(arguments: [1, 3]) func eachDirectionIsAQuery(directions: Int) throws {
        let teacher = try CrookedTeacher("mlp-64-16-4", .none)
        let distillation = try distillation(teacher) { $0.differenceDirections = directions }
        #expect(teacher.calls == 4)  // No backward is used, so none is checked: the batch of noise twice, and its halves.
        let (calls, images) = (teacher.calls, distillation.progress.teacherImages)
        try distillation.step()
        // The generator's images, as they are and moved, then the student's two batches.
        #expect(teacher.calls - calls == 1 + directions + 2)
        #expect(distillation.progress.teacherImages - images == 16 * (1 + directions + 2))
    }

    @Test func aLimitWithinAStepEndsIt() throws {
        let distillation = try distillation(CrookedTeacher("mlp-64-16-4", .none)) {
            ($0.differenceDirections, $0.maxTeacherQueries) = (4, 16 * (7 + 3))
        }
        try distillation.step()
        let error = try #require(throws: DaflError.self) { try distillation.step() }
        #expect(error.status == .queriesSpent && distillation.progress.step == 1)
    }

    @Test func aTeacherThatStopsLeavesADistillationThatGoesOn() throws {
        let teacher = try CrookedTeacher("mlp-64-16-4", .none)
        let distillation = try distillation(teacher) { $0.differenceDirections = 2 }
        for call in 1...3 {
            teacher.fault = .stopsAtCall(teacher.calls + call)
            #expect(throws: CallbackStop.self) { try distillation.step() }
            teacher.fault = .none
            try distillation.step()
        }
        #expect(distillation.progress.step == 3)
    }

    @Test func labelsAreRefused() throws {
        let error = try #require(throws: DaflError.self) {
            try distillation(CrookedTeacher("mlp-64-16-4", .none), answers: .labels)
        }
        #expect(error.status == .invalidArgument)
        #expect(error.description.contains("labels"))
    }

    @Test(arguments: [0, 1025]) func directionsHaveARange(directions: Int) throws {
        let error = try #require(throws: DaflError.self) {
            try distillation(CrookedTeacher("mlp-64-16-4", .none)) { $0.differenceDirections = directions }
        }
        #expect(error.description.contains("difference_directions is \(directions)"))
    }

    @Test(arguments: [1, 3]) func theSameSeedGivesTheSameBytes(threads: Int) throws {
        func weights(seed: UInt64, _ gradients: DistillationOptions.GradientKind = .differences) throws -> [[Float]] {
            let distillation = try distillation(CrookedTeacher("mlp-64-16-4", .none)) {
                ($0.seed, $0.threads, $0.gradients) = (seed, threads, gradients)
            }
            for _ in 0..<3 { try distillation.step() }
            return try [distillation.student, #require(distillation.generator)].map(DistillationTests.weights)
        }
        let differences = try weights(seed: 1)
        #expect(try weights(seed: 1) == differences)
        #expect(try weights(seed: 2) != differences)
        #expect(try weights(seed: 1, .teacher) != differences)
        #expect(try weights(seed: 1, .student) != differences)
    }
}
