import Networks
import Numerics
import Testing

@testable import Distillation

/// A teacher is understood by what it returns for noise, and refused or warned of with the cause.
struct TeacherExaminationTests {
    private func distillation(
        _ teacher: any Teacher, answers: Answers = .automatic, told: Told = Told(),
        _ change: (inout DistillationOptions) -> Void = { _ in }
    ) throws -> Distillation {
        try Distillation(teacher: teacher, answers: answers, DistillationTests.options(change)) { level, text in
            told.lines.append(text)
            if level == .warning { told.warnings.append(text) }
        }
    }

    /// What the user is told.
    private final class Told {
        var lines: [String] = []
        var warnings: [String] = []
    }

    /// Its gradients are led through the logarithm, which the comparison with finite differences then confirms.
    @Test func aSoftmaxIsTakenForProbabilities() throws {
        let told = Told()
        func losses(_ habit: StrangeTeacher.Habit, _ answers: Answers) throws -> [Double] {
            let distillation = try distillation(StrangeTeacher(habit), answers: answers, told: told)
            return try (0..<5).map { _ in
                try distillation.step()
                return distillation.progress.losses.oneHot + distillation.progress.distillationLoss
            }
        }
        let logits = try losses(.none, .logits)
        #expect(!told.lines.contains { $0.contains("probabilities") })
        let probabilities = try losses(.softmax, .automatic)
        #expect(told.lines.contains { $0.contains("probabilities") })
        for (a, b) in zip(logits, probabilities) { #expect(abs(a - b) < 1e-2 * abs(a) + 1e-4) }
        #expect(try losses(.softmax, .logits) != probabilities)  // who says otherwise is believed
    }

    /// A student that has one output too is handed out so, with the weights that learned as a network of two.
    @Test(arguments: ["half", "mlp-64-8-1", "network"]) func aStudentOfOneNumberComesBackAsOne(student: String) throws {
        var graph = Graph("teacher", input: [64])
        graph.add(.linear, "fc1", ["outputs": 16])
        graph.add(.relu)
        graph.add(.linear, "fc2", ["outputs": 1])
        graph.interface.head = .sigmoid
        let network = try Network(graph)
        var random = Philox(seed: 5, stream: .weights)
        network.initialise(&random)
        for parameter in network.parameters {
            for i in 0..<parameter.value.count { parameter.value[i] *= 4 }
        }
        let distillation = try distillation(NetworkTeacher(network), answers: .logits) {
            ($0.student, $0.steps, $0.studentSteps) = (student, 60, 5)
            if student == "network" { $0.givenStudent = .network(network) }
        }
        for _ in 0..<60 { try distillation.step() }
        let handed = try distillation.selectedStudent()
        #expect(handed.outputShape.dimensions == [1] && distillation.student.outputShape.dimensions == [2])
        #expect(handed.graph.interface.head == (student == "mlp-64-8-1" ? .none : .sigmoid))
        #expect(handed.architecture == (student == "mlp-64-8-1" ? student : nil))
        let images = try Batch(samples: 200, shape: network.inputShape)
        random.fillNormal(images)
        let compute = try Compute(threads: 1)
        let (s, t) = (try Pass(handed, input: images, compute), try Pass(network, input: images, compute))
        s.forward()
        t.forward()
        let agreed = (0..<200).count { (s.output[$0, 0] > 0) == (t.output[$0, 0] > 0) }
        #expect(agreed > 120, "\(agreed) of 200")
        let (winners, other) = (try Indices(count: 200), try Indices(count: 200))
        s.output.argmax(to: winners, compute)
        t.output.argmax(to: other, compute)
        #expect((0..<200).count { winners[$0] == other[$0] } == agreed)
    }

    @Test(arguments: [StrangeTeacher.Habit.oneLogit, .oneSigmoid]) func oneNumberIsATwoClassTeacher(habit: StrangeTeacher.Habit) throws {
        let teacher = try StrangeTeacher(architecture: "mlp-64-16-2", habit)
        for gradients in [DistillationOptions.GradientKind.teacher, .student, .differences] {
            let distillation = try distillation(teacher) {
                ($0.student, $0.gradients, $0.steps, $0.studentSteps) = ("mlp-64-8-2", gradients, 60, 5)
            }
            for _ in 0..<60 { try distillation.step() }
            let student = try distillation.selectedStudent()
            let compute = try Compute(threads: 1)
            let images = try Batch(samples: 200, shape: teacher.inputShape)
            var random = Philox(seed: 3, stream: .check)
            random.fillNormal(images)
            let (s, t) = (try Pass(student, input: images, compute), try Pass(teacher.network, input: images, compute))
            s.forward()
            t.forward()
            let agreed = (0..<200).count { s.output.argmax($0) == t.output.argmax($0) }
            #expect(agreed > 130, "\(habit) \(gradients): \(agreed) of 200")
        }
    }

    @Test(arguments: [(StrangeTeacher.Habit.dropout, "dropout"), (.batchStatistics, "batch normalisation")])
    func unstableTeachersAreRefusedWithTheCause(habit: StrangeTeacher.Habit, cause: String) throws {
        for gradients in [DistillationOptions.GradientKind.auto, .teacher, .differences] {
            let teacher = try StrangeTeacher(habit)
            let error = try #require(throws: DaflError.self) { try distillation(teacher) { $0.gradients = gradients } }
            #expect(error.status == .teacher && error.description.contains(cause) && error.description.contains("\"student\""))
        }
        // Their answers can be learned from, and their owner is told.
        let told = Told()
        let accepted = try distillation(StrangeTeacher(habit), told: told) {
            $0.gradients = .student
        }
        try accepted.step()
        #expect(told.warnings.contains { $0.contains(cause) })
    }

    /// A network that tells noise apart, as one that was trained does.
    private func sure(_ habit: StrangeTeacher.Habit, times factor: Float = 8) throws -> StrangeTeacher {
        let teacher = try StrangeTeacher(habit)
        for parameter in teacher.network.parameters { for i in 0..<parameter.value.count { parameter.value[i] *= factor } }
        return teacher
    }

    @Test func noiseThatTellsNothingIsAWordAboutUnits() throws {
        func warnings(_ teacher: any Teacher, _ change: (inout DistillationOptions) -> Void = { _ in }) throws -> [String] {
            let told = Told()
            _ = try distillation(teacher, told: told, change)
            return told.warnings
        }
        // One class for all of it, and answers that hardly move, as of a network that expects numbers a hundred times as large.
        let stubborn = try warnings(sure(.stubborn))
        #expect(stubborn.count == 1 && stubborn[0].contains("class 2 for 24 of 24") && stubborn[0].contains("input_mean"))
        let unmoved = try warnings(sure(.none, times: 0.1))
        #expect(unmoved.count == 1 && unmoved[0].contains("hardly"))
        // Units that were said may be wrong too.
        #expect(try warnings(sure(.stubborn)) { ($0.inputLow, $0.inputHigh) = (0, 1) }.count == 1)
        for habit in [StrangeTeacher.Habit.none, .softmax] {
            let found = try warnings(sure(habit))
            #expect(found.isEmpty, "\(habit)")
        }
    }

    /// Statistics of a network that is not the same twice have no gradient: its regularizer is left out.
    @Test func anUnstableTeacherIsNotHeldToItsRegularizer() throws {
        let teacher = try StrangeTeacher(.dropout)
        teacher.regularizerIsCrooked = true
        let accepted = try distillation(teacher) { $0.gradients = .student }
        try accepted.step()
        #expect(accepted.progress.losses.regularizer == 0)
    }

    @Test func teachersWithFewQueriesToGiveAreSpared() throws {
        let (few, many) = (try CrookedTeacher("mlp-64-16-4", .none), try CrookedTeacher("mlp-64-16-4", .none))
        let spared = try distillation(few) { ($0.maxTeacherQueries, $0.gradients) = (999, .student) }
        #expect(spared.progress.teacherImages == 8 && few.calls == 1)
        let examined = try distillation(many) { ($0.maxTeacherQueries, $0.gradients) = (1000, .student) }
        #expect(examined.progress.teacherImages == 96 && many.calls == 4)
        let declared = try distillation(few, answers: .logits) { ($0.maxTeacherQueries, $0.gradients) = (999, .student) }
        #expect(declared.progress.teacherImages == 0)
    }
}
