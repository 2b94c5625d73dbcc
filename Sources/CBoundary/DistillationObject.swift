import CDafl
import Distillation
import Formats
import Networks
import Numerics

/// What a `dafl_distillation *` points to.
final class DistillationObject: HandledObject {
    let distillation: Distillation

    /// - Throws: what `Distillation` throws, and `invalidArgument` for options that C alone can get wrong.
    init(teacher: any Teacher, answers: Answers, _ c: dafl_distillation_options) throws {
        let (log, userData) = (c.log, c.log_user_data)
        let options = try DistillationOptions(c)
        do {
            distillation = try Distillation(teacher: teacher, answers: answers, options) { level, text in
                text.withCString { log?(userData, level.rawValue, $0) }
            }
        } catch let error as DaflError where error.status == .outOfMemory {
            throw DaflError(
                error.status, "\(error). batch_size (\(options.batchSize)), replay_capacity (\(options.replayCapacity)) and "
                    + "generator_width (\(options.generatorWidth)) decide how much a run takes")
        }
        distillation.log(.info, distillation.summary)
    }
}

extension GivenStudent {
    /// - Throws: as `NetworkFile` where the text is a file's path, or a description.
    fileprivate init?(_ handle: NetworkHandle?, named text: String) throws {
        if handle != nil {
            self = .network(try using(handle, "student_network", as: NetworkObject.self, .shared) { try $0.network.copy() })
        } else if text.isGraph {
            self = .graph(try Graph(json: text))
        } else if [".json", ".safetensors", ".onnx"].contains(where: text.hasSuffix) {
            switch try NetworkFile(path: text).content() {
            case .graph(let graph): self = .graph(graph)
            case .network(let network): self = .network(network)
            }
        } else {
            return nil
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
            collapses: Int64(collapses), holdout_agreement: holdoutAgreement)
    }
}

extension DistillationOptions {
    /// - Throws: `invalidArgument` for a name that is none, or what only C can get wrong.
    init(_ c: dafl_distillation_options) throws {
        self = Preset.fast.options
        try OptionFields.read(c, into: &self)
        for (name, isGiven, source) in [
            ("images", c.images != nil, ImageSourceKind.data), ("labels", c.labels != nil, .data),
            ("metadata_means", c.metadata_means != nil, .metadata),
            ("metadata_deviations", c.metadata_deviations != nil, .metadata),
        ] where isGiven && imageSource != source {
            throw DaflError.invalid(name, "given", "NULL unless image_source is \"\(source.rawValue)\"")
        }
        givenStudent = try GivenStudent(c.student_network, named: student)
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
        if c.input_mean != nil || c.input_deviation != nil {
            inputStatistics = InputStatistics(
                means: c.input_mean, deviations: c.input_deviation,
                count: try requireWhole(c.input_count, "input_count", 1...1 << 30))
        }
    }
}
