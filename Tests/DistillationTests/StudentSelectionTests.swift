import Networks
import Numerics
import Testing

@testable import Distillation

/// The student that is handed out is the one that agrees best on held-out images.
struct StudentSelectionTests {
    private let compute: Compute
    private let teacher: NetworkTeacher
    private let expert: Network
    private let student: Network
    private let selection: StudentSelection

    init() throws {
        compute = try Compute(threads: 1)
        expert = try Network(architecture: "mlp-64-16-4", seed: 1)
        teacher = NetworkTeacher(expert)
        student = try Network(architecture: "mlp-64-16-4", seed: 2)
        var options = Preset.fast.options
        options.batchSize = 32
        selection = try StudentSelection(student, image: teacher.inputShape, options, compute)
    }

    private func consider(seed: UInt64) throws {
        let images = try Batch(samples: 32, shape: teacher.inputShape)
        var random = Philox(seed: seed, stream: .check)
        random.fillNormal(images)
        let pass = try teacher.plan(images, gradients: false, compute)
        try pass.forward()
        try selection.consider(images, logits: pass.logits)
    }

    private func weights(_ network: Network) -> [Float] { network.parameters.flatMap { $0.value.numbers } }

    @Test func beforeAnythingIsHeldOutItIsTheStudent() throws {
        #expect(try selection.selected() === student)
    }

    @Test func aStudentThatGotWorseIsNotHandedOut() throws {
        try consider(seed: 1)
        student.load(expert)
        try consider(seed: 2)
        student.load(try Network(architecture: "mlp-64-16-4", seed: 3))
        for seed in 3..<20 { try consider(seed: UInt64(seed)) }  // more than it keeps
        #expect(weights(try selection.selected()) == weights(expert))
    }

    @Test func aStudentThatGotBetterIsHandedOutAtOnce() throws {
        try consider(seed: 1)
        student.load(expert)
        #expect(try selection.selected() === student)
    }

    @Test func ofEqualsTheLaterIsHandedOut() throws {
        student.load(expert)
        try consider(seed: 1)
        student.parameters[1].value[0] += 1e-6
        #expect(try selection.selected() === student)
    }

    @Test func imagesAreHeldOutOfTheBankNowAndThen() {
        #expect((0..<100).filter { StudentSelection.holdsOut(step: $0) } == [24, 49, 74, 99])
    }
}

struct CollapseWatchTests {
    /// The steps after which it gives up on a generator.
    private func collapses(_ classes: Int, batchSize: Int, _ effectiveClasses: [Double]) -> [Int] {
        var watch = CollapseWatch(classes: classes, batchSize: batchSize)
        return effectiveClasses.indices.filter { watch.hasCollapsed(effectiveClasses[$0], generation: 0) }
    }

    @Test func patienceLastsForTwentyFivePoorSteps() {
        #expect(collapses(10, batchSize: 256, [Double](repeating: 3.1, count: 60)) == [24, 49])
        #expect(collapses(10, batchSize: 256, [Double](repeating: 3.2, count: 60)) == [])
        let interrupted = [Double](repeating: 1, count: 24) + [9] + [Double](repeating: 1, count: 24)
        #expect(collapses(10, batchSize: 256, interrupted) == [])
    }

    @Test func aFreshGeneratorHasItsOwnPatience() {
        var watch = CollapseWatch(classes: 10, batchSize: 256)
        let collapses = (0..<60).filter { watch.hasCollapsed(1, generation: $0 / 20) }
        #expect(collapses.isEmpty)
    }

    @Test func fewImagesCannotBeOfManyClasses() {
        #expect(collapses(1000, batchSize: 16, [Double](repeating: 5, count: 30)) == [])
        #expect(collapses(1000, batchSize: 256, [Double](repeating: 15, count: 30)) == [24])
        #expect(collapses(2, batchSize: 256, [Double](repeating: 1.5, count: 30)) == [])
        #expect(collapses(2, batchSize: 256, [Double](repeating: 1.2, count: 30)) == [24])
    }
}
