import CDafl
import Checkpoints
import Distillation
import Formats
import Networks
import Numerics

/// What a `dafl_distillation *` points to.
final class DistillationObject: HandledObject {
    let distillation: Distillation
    private let automatic: AutomaticCheckpoint?

    /// A new run, or one that goes on.
    /// - Parameters:
    ///   - c: its options; of a run that goes on, what a file cannot hold and what may be another. nil for all that the file has.
    ///   - checkpoint: where a run goes on from that the host loads; nil for a new one, or for the one that its options name.
    /// - Throws: what `Distillation` and `Checkpoint` throw, and `invalidArgument` for options that C alone can get wrong.
    init(_ teacher: GivenTeacher, _ c: dafl_distillation_options?, from checkpoint: Checkpoint? = nil) throws {
        let (log, userData) = (c?.log, c?.log_user_data)
        func tell(_ level: LogLevel, _ text: String) { 
            guard let log else { return }
            text.withCString { text in FloatingPoint.ofTheHost { log(userData, level.rawValue, text) } }
        }
        let options = try DistillationOptions(c, from: checkpoint)
        automatic = AutomaticCheckpoint(options)
        do {
            let own = checkpoint == nil ? try automatic?.existing() : nil
            let (teacher, answers) = (teacher.teacher, teacher.answers)
            distillation = try (checkpoint ?? own)?.resume(teacher: teacher, answers: answers, options, log: tell)
                ?? Distillation(teacher: teacher, answers: answers, options, log: tell)
            try automatic?.begin(distillation, isSaved: own != nil)
        } catch let error as DaflError where error.status == .outOfMemory {
            throw DaflError(
                error.status, "\(error). batch_size (\(options.batchSize)), replay_capacity (\(options.replayCapacity)) and "
                    + "generator_width (\(options.generatorWidth)) decide how much a run takes")
        }
        distillation.log(.info, distillation.summary)
    }

    func step() throws {
        try distillation.step()
        automatic?.saveIfDue(distillation)
    }

    /// The steps still to do.
    /// - Parameter stepDone: called after each.
    func run(_ stepDone: () throws -> Void) throws {
        defer { automatic?.saveAtEnd(distillation) }
        if distillation.isDone { try distillation.cancellation.check() }
        while !distillation.isDone {
            do {
                try distillation.step()
            } catch let error as DaflError where error.status == .queriesSpent {
                return distillation.log(.info, error.description)
            }
            do {
                try lend(during: stepDone)
            } catch {
                distillation.leave(error)
                throw error
            }
            // Behind what the host notes of the step, of which nothing is missing then where the process dies in between.
            automatic?.saveIfDue(distillation)
        }
    }
}

/// What a host gives as a teacher: callbacks, or a network of the library.
struct GivenTeacher {
    let teacher: any Teacher
    let answers: Answers

    init(_ c: dafl_teacher) throws {
        guard let network = c.network else {
            let teacher = try CallbackTeacher(c)
            self.init(teacher, teacher.answers)
            return
        }
        guard c.forward == nil, c.backward == nil, c.regularizer == nil else {
            throw DaflError.invalid("forward of the teacher", "given", "NULL where network is, and so must backward and regularizer")
        }
        try self.init(network)
    }

    /// Of a copy.
    init(_ network: NetworkHandle?) throws {
        let copy = try using(network, "teacher", as: NetworkObject.self, .shared) { try $0.network.copy() }
        self.init(NetworkTeacher(copy), .logits)
    }

    private init(_ teacher: any Teacher, _ answers: Answers) { (self.teacher, self.answers) = (teacher, answers) }
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

extension dafl_distillation_options {
    fileprivate var allReduce: DistillationOptions.AllReduce? {
        guard let sum = all_reduce else { return nil }
        let userData = all_reduce_user_data
        return { floats, count in
            let code = FloatingPoint.ofTheHost { sum(userData, floats, Int64(count)) }
            guard code == 0 else { throw CallbackStop(code: code, callback: "all_reduce") }
        }
    }

    /// Where a run of several ranks cannot be made, the others learn of it in their first step.
    func orTold(_ make: () throws -> DistillationObject) throws -> DistillationObject {
        do {
            return try make()
        } catch {
            Ranks.tellOfNone(rank: Int(rank), of: Int(ranks), allReduce, error)
            throw error
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
    /// - Parameter checkpoint: of a run that goes on, whose options they are but for what the host has to give again.
    /// - Throws: `invalidArgument` for a name that is none, or what only C can get wrong; `format`.
    fileprivate init(_ c: dafl_distillation_options?, from checkpoint: Checkpoint?) throws {
        self = Preset.fast.options
        if let c { try OptionFields.read(c, into: &self) }
        if let checkpoint { self = try checkpoint.options(c == nil ? nil : self) }
        guard let c else { return }
        try takeArrays(c)
        if checkpoint == nil { givenStudent = try GivenStudent(c.student_network, named: student) }
        if !self.checkpoint.isEmpty { self.checkpoint = try requirePath(c.checkpoint, "checkpoint") }
        // Those of a run that goes on are compared with what it had.
        if c.input_mean != nil || c.input_deviation != nil {
            inputStatistics = InputStatistics(
                means: c.input_mean, deviations: c.input_deviation,
                count: try requireWhole(c.input_count, "input_count", 1...1 << 30))
        }
    }

    private mutating func takeArrays(_ c: dafl_distillation_options) throws {
        for (name, isGiven, source) in [
            ("images", c.images != nil, ImageSourceKind.data), ("labels", c.labels != nil, .data),
            ("metadata_means", c.metadata_means != nil, .metadata),
            ("metadata_deviations", c.metadata_deviations != nil, .metadata),
        ] where isGiven && imageSource != source {
            throw DaflError.invalid(name, "given", "NULL unless image_source is \"\(source.rawValue)\"")
        }
        allReduce = c.allReduce
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
