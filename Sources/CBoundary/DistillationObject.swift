import CDafl
import Distillation
import Numerics
import Training

/// What a `dafl_distillation *` points to.
final class DistillationObject: HandledObject {
    let distillation: Distillation

    /// - Throws: what `Distillation` throws, and `invalidArgument` for options that C alone can get wrong.
    init(teacher: any Teacher, answers: Answers, _ c: dafl_distillation_options) throws {
        distillation = try Distillation(teacher: teacher, answers: answers, DistillationOptions(c))
        if let log = c.log {
            let userData = c.log_user_data
            distillation.log = { level, text in
                text.withCString { log(userData, level.rawValue, $0) }
            }
            distillation.log(.info, distillation.summary)
        }
    }
}

extension Progress {
    var inC: dafl_progress {
        dafl_progress(
            struct_size: MemoryLayout<dafl_progress>.size, step: Int64(step), steps: Int64(steps),
            generator_loss: losses.total, one_hot_loss: losses.oneHot, activation_loss: losses.activation,
            entropy_loss: losses.entropy, regularizer_loss: losses.regularizer, distillation_loss: distillationLoss,
            effective_classes: losses.effectiveClasses, agreement: agreement, images_per_second: imagesPerSecond,
            seconds_elapsed: secondsElapsed,
            seconds_left: secondsLeft, teacher_calls: Int64(teacherCalls), teacher_images: Int64(teacherImages),
            collapses: Int64(collapses))
    }
}

extension DistillationOptions {
    /// The preset's numbers; what is the caller's own (student, seed, where and how to compute, log) is left out.
    func write(to c: inout dafl_distillation_options) {
        c.steps = Int64(steps)
        c.batch_size = Int64(batchSize)
        c.student_steps = Int64(studentSteps)
        c.replay_capacity = Int64(replayCapacity)
        c.restart_steps = Int64(restartSteps)
        c.generator = StaticText.pointer("auto")
        c.generator_width = Int64(generatorWidth)
        c.latent_size = Int64(latentSize)
        c.one_hot_weight = lossWeights.oneHot
        c.activation_weight = lossWeights.activation
        c.entropy_weight = lossWeights.entropy
        c.regularizer_weight = lossWeights.regularizer
        c.temperature = temperature
        c.generator_learning_rate = generatorLearningRate
        c.student_learning_rate = studentLearningRate
        c.student_schedule = studentSchedule.nameInC
        c.augmentation = augmentation
        c.image_source = StaticText.pointer("generator")
        c.gradients = StaticText.pointer("auto")
        c.difference_directions = Int64(differenceDirections)
        c.max_teacher_queries = Int64(maxTeacherQueries)
        c.label_weight = labelWeight
        c.mimic_weight = mimicWeight
        c.metadata_steps = Int64(metadataSteps)
    }

    /// - Throws: `invalidArgument` for a name that is none, or a number that no Int holds.
    init(_ c: dafl_distillation_options) throws {
        func whole(_ number: Int64, _ name: String) throws -> Int { try requireWhole(number, name, Int.min...Int.max) }
        self = Preset.fast.options
        student = try requireText(c.student, "student")
        seed = c.seed
        threads = try whole(c.threads, "threads")
        instructionSet = try requireText(c.instruction_set, "instruction_set")
        convolution = try requireCase(c.convolution, "convolution")
        steps = try whole(c.steps, "steps")
        batchSize = try whole(c.batch_size, "batch_size")
        studentSteps = try whole(c.student_steps, "student_steps")
        replayCapacity = try whole(c.replay_capacity, "replay_capacity")
        restartSteps = try whole(c.restart_steps, "restart_steps")
        generator = try requireCase(c.generator, "generator")
        generatorWidth = try whole(c.generator_width, "generator_width")
        latentSize = try whole(c.latent_size, "latent_size")
        lossWeights = GeneratorLoss.Weights(
            oneHot: c.one_hot_weight, activation: c.activation_weight, entropy: c.entropy_weight,
            regularizer: c.regularizer_weight)
        temperature = c.temperature
        generatorLearningRate = c.generator_learning_rate
        studentLearningRate = c.student_learning_rate
        studentSchedule = try requireCase(c.student_schedule, "student_schedule")
        augmentation = c.augmentation
        imageSource = try requireCase(c.image_source, "image_source")
        gradients = try requireCase(c.gradients, "gradients")
        differenceDirections = try whole(c.difference_directions, "difference_directions")
        maxTeacherQueries = try whole(c.max_teacher_queries, "max_teacher_queries")
        labelWeight = c.label_weight
        mimicWeight = c.mimic_weight
        metadataSteps = try whole(c.metadata_steps, "metadata_steps")
        for (name, isGiven, source) in [
            ("images", c.images != nil, ImageSourceKind.data), ("labels", c.labels != nil, .data),
            ("metadata_means", c.metadata_means != nil, .metadata),
            ("metadata_deviations", c.metadata_deviations != nil, .metadata),
        ] where isGiven && imageSource != source {
            throw DaflError.invalid(name, "given", "NULL unless image_source is \"\(source.rawValue)\"")
        }
        if imageSource == .data {
            data = ImageData(
                images: try require(c.images, "images"), labels: c.labels,
                count: try requireWhole(c.image_count, "image_count", 1...1 << 30))
        }
        if imageSource == .metadata {
            metadata = FeatureMetadata(
                means: try require(c.metadata_means, "metadata_means"),
                deviations: try require(c.metadata_deviations, "metadata_deviations"),
                groups: try requireWhole(c.metadata_groups, "metadata_groups", 1...1 << 30))
        }
    }
}
