import Networks
import Numerics
import Testing
import Training

@testable import Distillation

struct TeachersStartTests {
    private static func teacher() throws -> Network {
        var graph = Graph("colours", input: [3, 8, 8])
        graph.add(.convolution, "first", ["outputs": 8, "kernel": 3, "padding": 1])
        graph.add(.relu)
        graph.add(.convolution, "second", ["outputs": 8, "kernel": 3, "padding": 1])
        graph.add(.relu)
        graph.add(.globalAveragePool)
        graph.add(.flatten)
        graph.add(.linear, "fc", ["outputs": 4])
        let network = try Network(graph)
        var random = Philox(seed: 8, stream: .weights)
        network.initialise(&random)
        return network
    }

    private static func options(_ change: (inout DistillationOptions) -> Void = { _ in }) -> DistillationOptions {
        DistillationTests.options {
            ($0.student, $0.imageSource, $0.seed) = ("width=1", .procedural, 2)
            change(&$0)
        }
    }

    private static func agreement(_ options: DistillationOptions) throws -> Double {
        let distillation = try Distillation(teacher: NetworkTeacher(teacher()), options)
        try distillation.step()
        return distillation.progress.agreement
    }

    /// As wide as its teacher, it is the teacher, in units of its own too but for the edges; with new weights it is not.
    @Test func aStudentStartsAsItsTeacher() throws {
        #expect(try Self.agreement(Self.options()) == 1)
        #expect(try Self.agreement(Self.options { ($0.inputLow, $0.inputHigh) = (-1, 3) }) > 0.6)
        #expect(try Self.agreement(Self.options { $0.studentStart = .new }) < 0.9)
        #expect(try Self.agreement(Self.options { ($0.studentStart, $0.imageSource) = (.teacher, .noise) }) == 1)
    }

    /// A layer that puts out nothing gives the next one nothing to be fitted to.
    @Test func aTeacherThatTellsNothingApartGivesAStart() throws {
        let teacher = try Self.teacher()
        let bias = try #require(teacher.parameter(named: "first.bias")?.value)
        bias.fill(-1e6)
        let distillation = try Distillation(teacher: NetworkTeacher(teacher), Self.options { $0.student = "half" })
        #expect(distillation.student.isFinite)
        try distillation.step()
    }

    /// A student that was made of its teacher keeps its weights, and learns from what the teacher's layers make of pictures.
    @Test func aStudentMadeOfItsTeacherGoesOn() throws {
        let teacher = try Self.teacher()
        #expect(try Self.agreement(Self.options { ($0.givenStudent, $0.studentStart) = (.network(teacher), .teacher) }) == 1)
        let worse = try teacher.copy()
        for parameter in worse.parameters {
            for i in stride(from: 0, to: parameter.value.count, by: 2) { parameter.value[i] *= 0.7 }
        }
        /// The squared distance of the weights to the teacher's.
        func distance(_ network: Network) -> Double {
            zip(network.parameters, teacher.parameters).reduce(0) { sum, pair in
                (0..<pair.0.value.count).reduce(sum) { $0 + Double(pow2(pair.0.value[$1] - pair.1.value[$1])) }
            }
        }
        func pow2(_ x: Float) -> Float { x * x }
        let distillation = try Distillation(
            teacher: NetworkTeacher(teacher),
            Self.options { ($0.givenStudent, $0.studentStart, $0.steps, $0.studentLearningRate) = (.network(worse), .teacher, 12, 5e-3) })
        while !distillation.isDone { try distillation.step() }
        #expect(distance(distillation.student) < 0.97 * distance(worse))
        // One with other channels everywhere has nothing to match, and learns from the answers.
        let narrow = try Network(Graph.small(input: [3, 8, 8], classes: 4))
        let other = try Distillation(
            teacher: NetworkTeacher(teacher), Self.options { ($0.givenStudent, $0.studentStart) = (.network(narrow), .teacher) })
        try other.step()
        #expect(other.progress.step == 1)
    }

    @Test func theSameSeedGivesTheSameStudent() throws {
        func student(seed: UInt64, threads: Int) throws -> [Float] {
            let distillation = try Distillation(
                teacher: NetworkTeacher(Self.teacher()),
                Self.options { ($0.student, $0.seed, $0.threads) = ("half", seed, threads) })
            for _ in 0..<4 { try distillation.step() }
            return DistillationTests.weights(distillation.student)
        }
        for threads in [1, 3] { #expect(try student(seed: 1, threads: threads) == student(seed: 1, threads: threads)) }
        #expect(try student(seed: 1, threads: 1) != student(seed: 2, threads: 1))
    }

    /// By itself only where pictures are drawn for a network as often as it takes; if asked, or not at all.
    @Test func whereItApplies() throws {
        let colour = try Shape([3, 8, 8]), grey = try Shape([1, 8, 8])
        func starts(_ input: Shape, _ change: (inout DistillationOptions) -> Void = { _ in }) -> Bool {
            Self.options(change).startsFromTeacher(input)
        }
        #expect(starts(colour) && starts(grey) && !starts(grey) { $0.studentStart = .new })
        // What the layers make of pictures is learned too where that helps, or is asked for.
        #expect(Self.options { _ in }.matchesLayers(colour) && !Self.options { _ in }.matchesLayers(grey))
        #expect(Self.options { $0.studentStart = .teacher }.matchesLayers(grey))
        #expect(starts(colour) { $0.imageSource = .auto } && !starts(colour) { $0.imageSource = .data })
        #expect(!starts(colour) { $0.maxTeacherQueries = 100_000 } && !starts(colour) { $0.studentDropout = 1 })
        for student in ["small", "width=0.5,depth=0.5", "width=2"] {
            let options = Self.options { ($0.student, $0.studentStart) = (student, .teacher) }
            let error = try #require(throws: DaflError.self) {
                _ = try Distillation(teacher: NetworkTeacher(Self.teacher()), options)
            }
            #expect(error.status == .invalidArgument && "\(error)".contains("student_start"))
        }
    }

    /// As many of each class, in range, and the teacher surer of them than of those it drew.
    @Test func refinedPicturesAreBalanced() throws {
        let teacher = NetworkTeacher(try Self.teacher())
        let options = Self.options { ($0.inputLow, $0.inputHigh) = (-1, 3) }
        let units = try #require(try options.units(of: teacher))
        let source = try RefinedSource(UnitsTeacher(teacher, units), units, options, Compute(threads: 1))
        let drawn = try source.next().oneHot
        let before = try Snapshot { source.persist($0) }
        before.take()
        let refined = try source.next()
        #expect(refined.oneHot.isFinite && drawn.isFinite)
        let range = try #require(units.standardisedRange)
        let images = source.images
        for i in 0..<images.samples {
            for k in 0..<images.elements { #expect(images[i, k] >= range.lowerBound && images[i, k] <= range.upperBound) }
        }
        let first = (0..<images.elements).map { images[0, $0] }
        before.bringBack()
        _ = try source.next()
        #expect(first == (0..<images.elements).map { images[0, $0] })
    }
}
