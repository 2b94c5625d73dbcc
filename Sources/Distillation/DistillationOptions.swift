import Networks
import Numerics
import Training

/// How a distillation works. The names in error messages are those of `dafl_distillation_options` in dafl.h.
package struct DistillationOptions {
    package enum ImageSourceKind: String, CaseIterable { case generator, noise, data, metadata }
    package enum ConvolutionKind: String, CaseIterable { case fast, direct }
    package enum GradientKind: String, CaseIterable { case auto, teacher, student, differences }

    /// The student's architecture.
    package var student = "lenet5-half"
    /// Of everything random.
    package var seed: UInt64 = 0
    /// 0 for as many as the processors this process may use.
    package var threads = 0
    /// A name of `InstructionSet.available`, or "auto".
    package var instructionSet = "auto"
    /// `direct` for no Winograd's algorithm.
    package var convolution = ConvolutionKind.fast
    /// Of the run; each has one generator step.
    package var steps: Int
    /// Images a step of the generator or the student.
    package var batchSize: Int
    /// Student steps to each generator step.
    package var studentSteps: Int
    /// Images in the replay bank; 0 for none: the student learns from the generator's own batch.
    package var replayCapacity: Int
    /// A fresh generator every so many steps; 0 for one in the whole run.
    package var restartSteps: Int
    package var generator = GeneratorKind.auto
    /// Channels of the convolutional generator's widest layers, and an eighth of the perceptron's hidden units.
    package var generatorWidth: Int
    package var latentSize: Int
    package var lossWeights: GeneratorLoss.Weights
    /// T of L_KD.
    package var temperature: Double
    package var generatorLearningRate: Double
    package var studentLearningRate: Double
    package var studentSchedule: Schedule
    /// Strength of `Augmentation`; 0 for none.
    package var augmentation: Double
    package var imageSource = ImageSourceKind.generator
    /// The images of source `data`.
    package var data: ImageData?
    /// l, the share of the labels' cross entropy in the student's loss.
    package var labelWeight = 0.0
    /// m, the weight of feature mimicking in the student's loss.
    package var mimicWeight = 0.0
    /// What source `metadata` makes its images from, in so many steps on their pixels.
    package var metadata: FeatureMetadata?
    package var metadataSteps = 100
    /// Whose gradients lead from the teacher's logits back to the images: `auto` for the teacher's, if it gives them, else the
    /// student's; `differences` for finite differences of the teacher's answers.
    package var gradients = GradientKind.auto
    /// m of `differences`: random directions an image and generator step, each a question to the teacher.
    package var differenceDirections = 1
    /// Images that the teacher may be asked about; 0 for as many as it takes.
    package var maxTeacherQueries = 0

    /// - Throws: `invalidArgument` for the first option outside its range.
    package func validate() throws {
        let most = 1 << 30
        func require(_ name: String, _ value: Int, _ range: ClosedRange<Int>) throws {
            guard range.contains(value) else {
                throw DaflError.invalid(name, value, "from \(range.lowerBound) to \(range.upperBound)")
            }
        }
        func require(_ name: String, _ value: Double, _ range: ClosedRange<Double>) throws {
            guard range.contains(value) else {
                throw DaflError.invalid(name, value, "from \(range.lowerBound) to \(range.upperBound)")
            }
        }
        try require("threads", threads, 0...1024)
        try require("steps", steps, 1...Int.max)
        try require("batch_size", batchSize, 1...most)
        try require("student_steps", studentSteps, 0...most)
        try require("replay_capacity", replayCapacity, 0...most)
        try require("restart_steps", restartSteps, 0...Int.max)
        try require("difference_directions", differenceDirections, 1...1024)
        try require("max_teacher_queries", maxTeacherQueries, 0...Int.max)
        try require("generator_width", generatorWidth, 2...4096)
        try require("latent_size", latentSize, 1...1 << 20)
        // What float32 can work with: larger numbers would only become infinite somewhere within.
        try require("one_hot_weight", lossWeights.oneHot, -1e6...1e6)
        try require("activation_weight", lossWeights.activation, -1e6...1e6)
        try require("entropy_weight", lossWeights.entropy, -1e6...1e6)
        try require("regularizer_weight", lossWeights.regularizer, -1e6...1e6)
        try require("temperature", temperature, 1e-3...1e3)
        try require("generator_learning_rate", generatorLearningRate, 0...1e6)
        try require("student_learning_rate", studentLearningRate, 0...1e6)
        try require("augmentation", augmentation, 0...10)
        try require("label_weight", labelWeight, 0...1)
        try require("mimic_weight", mimicWeight, 0...1e6)
        try require("metadata_steps", metadataSteps, 1...most)
        guard labelWeight == 0 || (imageSource == .data && data?.labels != nil) else {
            throw DaflError.invalid("label_weight", labelWeight, "0 without labelled data")
        }
        guard replayCapacity == 0 || replayCapacity >= batchSize else {
            throw DaflError.invalid("replay_capacity", replayCapacity, "0 or at least batch_size, \(batchSize)")
        }
    }
}
