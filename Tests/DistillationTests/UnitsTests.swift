import Networks
import Numerics
import Testing

@testable import Distillation

/// A teacher whose inputs are in units of its own gives the student that it would give in standardised ones, in its units.
struct UnitsTests {
    private let compute: Compute
    private let standard: Network
    private let raw: Network
    private let mean: Tensor
    private let deviation: Tensor

    /// The same teacher for standardised inputs and for inputs x deviation + mean, one of each a number.
    init() throws {
        compute = try Compute(threads: 1)
        standard = try Network(architecture: "mlp-64-16-4", seed: 1)
        (mean, deviation) = (try Tensor([64]), try Tensor([64]))
        for i in 0..<64 { (mean[i], deviation[i]) = (Float(i) - 20, Float(1 + i % 7)) }
        raw = try standard.copy()
        let (weight, bias) = (raw.parameters[0].value, raw.parameters[1].value)
        for o in 0..<16 {
            for i in 0..<64 {
                weight[64 * o + i] /= deviation[i]
                bias[o] -= weight[64 * o + i] * mean[i]
            }
        }
    }

    private func options(_ change: (inout DistillationOptions) -> Void = { _ in }) -> DistillationOptions {
        DistillationTests.options {
            $0.steps = 4
            change(&$0)
        }
    }

    private var statistics: InputStatistics {
        InputStatistics(means: mean.pointer, deviations: deviation.pointer, count: 64)
    }

    /// As a network and as any other teacher, with its gradients and without.
    @Test(arguments: [false, true], [DistillationOptions.GradientKind.auto, .student, .differences])
    func theRunIsTheSame(isNetwork: Bool, gradients: DistillationOptions.GradientKind) throws {
        func losses(_ network: Network, _ change: (inout DistillationOptions) -> Void = { _ in }) throws -> [Double] {
            let teacher: any Teacher = isNetwork ? NetworkTeacher(network) : StrangeTeacher(of: network)
            let distillation = try Distillation(teacher: teacher, options {
                $0.gradients = gradients
                change(&$0)
            })
            return try (0..<3).map { _ in
                try distillation.step()
                return distillation.progress.losses.total + distillation.progress.distillationLoss
            }
        }
        let (expected, found) = (try losses(standard), try losses(raw) { $0.inputStatistics = statistics })
        for (a, b) in zip(expected, found) { #expect(abs(a - b) < 0.02 * abs(a) + 1e-3) }
    }

    @Test func studentGeneratorAndPicturesAreInTheTeachersUnits() throws {
        let distillation = try Distillation(teacher: NetworkTeacher(raw), options { $0.inputStatistics = statistics })
        for _ in 0..<4 { try distillation.step() }
        let student = try distillation.selectedStudent()
        #expect(student.inputUnits?.count == 64 && distillation.student.inputUnits == nil)
        let (images, logits) = (try Tensor([64, 64]), try Tensor([64, 4]))
        try distillation.generate(count: 64, images: images.pointer, logits: logits.pointer)
        let batch = try Batch(samples: 64, shape: raw.inputShape)
        batch.load(rows: images.pointer, compute)
        let teacher = try Pass(raw, input: batch, compute)
        teacher.forward()
        for i in 0..<64 { for k in 0..<4 { #expect(abs(teacher.output[i, k] - logits[4 * i + k]) < 1e-2) } }
        // The mean over pixels and images of (x - mean) / deviation is that of standardised images.
        var sum = 0.0
        for i in 0..<64 * 64 { sum += Double((images[i] - mean[i % 64]) / deviation[i % 64]) / (64 * 64) }
        #expect(abs(sum) < 0.05)

        let generator = try #require(try distillation.exportedGenerator())
        let noise = try Batch(samples: 64, shape: generator.inputShape)
        var random = Philox(seed: 5, stream: .noise)
        random.fillNormal(noise)
        let made = try Pass(generator, input: noise, compute)
        made.forward()
        var squares = 0.0
        for i in 0..<64 {
            for e in 0..<64 {
                let z = Double((made.output[i, e] - mean[e]) / deviation[e])
                squares += z * z / (64 * 64)
            }
        }
        #expect(abs(squares - 1) < 0.25, "\(squares)")
    }

    /// Images and the vectors of their numbers, units by number, channel and over all: every view of a teacher's inputs.
    @Test(arguments: [1, 3, 192], ["mlp-192-8-4", "resnet18(side=8,classes=4)"])
    func everyViewHasItsUnits(count: Int, student: String) throws {
        let teacher = try Network(architecture: "resnet18(side=8,classes=4)", seed: 1)
        let (means, deviations) = (try Tensor([count]), try Tensor([count]))
        for i in 0..<count { (means[i], deviations[i]) = (Float(i % 3), Float(1 + i % 2)) }
        for (generator, source) in [
            (GeneratorKind.auto, DistillationOptions.ImageSourceKind.generator), (.perceptron, .generator), (.auto, .noise),
        ] {
            let distillation = try Distillation(teacher: NetworkTeacher(teacher), options {
                ($0.student, $0.generator, $0.imageSource, $0.augmentation) = (student, generator, source, 1)
                ($0.batchSize, $0.replayCapacity, $0.studentSteps) = (4, 16, 1)
                $0.inputStatistics = InputStatistics(means: means.pointer, deviations: deviations.pointer, count: count)
            })
            try distillation.step()
            let made = try Tensor([2, 192])
            try distillation.generate(count: 2, images: made.pointer, logits: nil)
            #expect(try distillation.selectedStudent().inputUnits != nil)
            if source == .generator { #expect(try distillation.exportedGenerator() != nil) }
        }
    }

    @Test func aRangeThatFloatsCannotTellIsRefused() throws {
        let error = try #require(throws: DaflError.self) {
            try Distillation(teacher: NetworkTeacher(raw), options { $0.inputHigh = 1e-39 })
        }
        #expect(error.status == .invalidArgument && error.description.contains("input_high"))
    }

    /// A student is a teacher again, which knows its units.
    @Test func aNetworkWithUnitsSaysThemItself() throws {
        let teacher = try standard.copy(units: statistics.units(for: standard.inputShape))
        let distillation = try Distillation(teacher: NetworkTeacher(teacher), options())
        try distillation.step()
        let student = try distillation.selectedStudent()
        #expect(student.inputUnits?.mean.value[5] == mean[5])
        // Nobody may say others.
        #expect(throws: DaflError.self) {
            try Distillation(teacher: NetworkTeacher(teacher), options { ($0.inputLow, $0.inputHigh) = (0, 1) })
        }
    }

    @Test func unitsThatAreNoneAreRefused() throws {
        for (means, deviations, count) in [(Float.nan, Float(1), 64), (0, 0, 64), (0, -1, 64), (0, .infinity, 1), (0, 1, 63)] {
            let (m, d) = (try Tensor([64]), try Tensor([64]))
            m.fill(means)
            d.fill(deviations)
            let statistics = InputStatistics(means: m.pointer, deviations: d.pointer, count: count)
            let error = try #require(throws: DaflError.self) {
                try Distillation(teacher: NetworkTeacher(raw), options { $0.inputStatistics = statistics })
            }
            #expect(error.status == .invalidArgument)
        }
        for (low, high) in [(5.0, 4.0), (1, 1), (.nan, 1)] {
            #expect(throws: DaflError.self) {
                try Distillation(teacher: NetworkTeacher(raw), options { ($0.inputLow, $0.inputHigh) = (low, high) })
            }
        }
    }

    @Test func dataIsInTheTeachersUnitsToo() throws {
        let images = try Tensor([40, 64])
        for i in 0..<40 * 64 { images[i] = mean[i % 64] + deviation[i % 64] * Float(i % 11 - 5) / 5 }
        let distillation = try Distillation(teacher: NetworkTeacher(raw), options {
            ($0.imageSource, $0.inputStatistics) = (.data, statistics)
            $0.data = ImageData(images: images.pointer, labels: nil, count: 40)
        })
        try distillation.step()
        let picked = try Tensor([4, 64])
        try distillation.generate(count: 4, images: picked.pointer, logits: nil)
        for row in 0..<4 {
            let isGiven = (0..<40).contains { i in (0..<64).allSatisfy { abs(picked[64 * row + $0] - images[64 * i + $0]) < 1e-3 } }
            #expect(isGiven)
        }
    }
}
