import Networks
import Numerics
import Training

/// How a distillation works. `DistillationOptions+Table.swift` says what each option is.
package struct DistillationOptions {
    package enum ImageSourceKind: String, CaseIterable { case auto, generator, procedural, noise, data, metadata }
    package enum ConvolutionKind: String, CaseIterable { case fast, direct }
    package enum StudentStart: String, CaseIterable { case auto, teacher, new }
    package enum GradientKind: String, CaseIterable { case auto, teacher, student, differences }
    package enum GeneratorSharing: String, CaseIterable { case own, shared }

    package var student = ""
    /// In the place of a name.
    package var givenStudent: GivenStudent?
    package var seed: UInt64 = 0
    package var threads = 0
    package var instructionSet = ""
    package var convolution = ConvolutionKind.fast
    package var steps = 0
    package var batchSize = 0
    package var studentSteps = 0
    package var replayCapacity = 0
    package var restartSteps = 0
    package var generator = GeneratorKind.auto
    package var generatorWidth = 0
    package var latentSize = 0
    package var lossWeights = GeneratorLoss.Weights(oneHot: 0, activation: 0, entropy: 0, regularizer: 0)
    package var temperature = 0.0
    package var generatorLearningRate = 0.0
    package var studentLearningRate = 0.0
    package var studentSchedule = Schedule.constant
    package var augmentation = 0.0
    package var imageSource = ImageSourceKind.auto
    package var gradients = GradientKind.auto
    package var differenceDirections = 0
    package var maxTeacherQueries = 0
    package var data: ImageData?
    package var labelWeight = 0.0
    package var mimicWeight = 0.0
    package var metadata: FeatureMetadata?
    package var metadataSteps = 0
    package var inputStatistics: InputStatistics?
    package var inputLow = 0.0
    package var inputHigh = 0.0
    /// 1 for yes.
    package var studentDropout = 0
    package var studentStart = StudentStart.auto
    package var studentKeeps = KeptKind.nothing
    package var patience = 0
    package var rank = 0
    package var ranks = 1
    /// The sum of `count` floats over all ranks, in place.
    package typealias AllReduce = (_ sum: UnsafeMutablePointer<Float>, _ count: Int) throws -> Void
    package var allReduce: AllReduce?
    package var generators = GeneratorSharing.own
    package var checkpoint = ""
    package var checkpointSeconds = 0.0
    package var checkpointSteps = 0

    /// Options that may be others when a run goes on.
    package static let ofAProcess: Set = [
        "threads", "instruction_set", "patience", "checkpoint", "checkpoint_seconds", "checkpoint_steps",
    ]

    /// Whether the teacher may be asked about images of the replay bank.
    var asksAgain: Bool { replayCapacity != 0 && (augmentation > 0 || mimicWeight > 0) }

    /// Whether a generator takes part in making inputs of a shape.
    func generates(_ input: Shape) -> Bool {
        guard imageSource == .auto else { return imageSource == .generator }
        guard ProceduralSource.image(of: input, self) != nil else { return true }
        if maxTeacherQueries == 0 { return true }
        // Where queries are few, drawn pictures are worth more.
        return ProceduralSource.choice(self) > (gradients == .differences ? 1 + differenceDirections : 1)
    }

    /// Among the checksums, of what a given student starts with.
    package static let studentWeights = "student.weights"
    static let teacherWeights = "teacher.weights"

    /// Checksums of what a run is given but does not hold, by names: the weights of the teacher, where it has some, and those that a
    /// given student starts with, images and metadata.
    package func checksums(_ teacher: any Teacher) -> [String: String] {
        var sums: [String: String] = [:]
        sums[Self.teacherWeights] = (teacher as? NetworkTeacher)?.network.weightsChecksum
        sums[Self.studentWeights] = givenStudent?.weightsChecksum
        sums["images"] = data?.checksum(image: teacher.inputShape)
        sums["metadata"] = metadata?.checksum(features: teacher.features)
        return sums
    }

    /// A preset's.
    init(_ preset: Preset) { reset(preset: preset.place) }

    /// - Throws: `invalidArgument` for the first option that is out of its range or does not fit the others.
    package func validate() throws {
        try requireInRange()
        try requireRanks()
        guard labelWeight == 0 || (imageSource == .data && data?.labels != nil) else {
            throw DaflError.invalid("label_weight", labelWeight, "0 without labelled data")
        }
        guard replayCapacity <= 0 || replayCapacity >= batchSize else {
            throw DaflError.invalid("replay_capacity", replayCapacity, "-1, 0 or at least batch_size, \(batchSize)")
        }
        guard inputLow < inputHigh || (inputLow == 0 && inputHigh == 0) else {
            throw DaflError.invalid("input_low", inputLow, "below input_high, \(inputHigh)")
        }
        guard inputStatistics == nil || inputHigh == inputLow else {
            throw DaflError.invalid("input_high", inputHigh, "0, as input_low, where input_mean or input_deviation is given")
        }
    }
}
