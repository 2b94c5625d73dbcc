import Distillation
import Formats
import Networks
import Numerics

/// A run as it was saved, to go on from there.
///
///     let checkpoint = try Checkpoint(path: "run.dafl")
///     let distillation = try checkpoint.resume(teacher: teacher, checkpoint.options(nil), log: log)
package final class Checkpoint {
    private let file: SafetensorsFile
    /// What options point to.
    private var means: Tensor?
    private var deviations: Tensor?

    /// - Throws: `io`; `format` for a file that is no checkpoint or is damaged; `unsupported` for one of another version.
    package convenience init(path: String) throws {
        try self.init(path, naming(path) { try UnsafeFileReader(path: path) })
    }

    /// - Parameter bytes: must outlive the object.
    package convenience init(borrowing bytes: UnsafeRawBufferPointer) throws {
        try self.init("the checkpoint", MemoryBytes(borrowing: bytes))
    }

    private init(_ name: String, _ bytes: any ByteSource) throws {
        file = try SafetensorsFile(path: name, bytes)
        try naming(name) {
            guard description[RunDescription.formatKey] == RunDescription.format else {
                throw DaflError(.format, "is no checkpoint of a distillation")
            }
            let version = description[RunDescription.versionKey] ?? ""
            guard version == RunDescription.version else {
                throw DaflError(
                    .unsupported, "was saved by version \(quoted(version)) of the library, and this is \(RunDescription.version)")
            }
            guard try bytes.hasItsChecksum else {
                throw DaflError(.format, "is damaged: its checksum is not that of its bytes")
            }
        }
    }

    private var description: RunDescription { file.metadata }

    /// Those of the run, to go on with.
    /// - Parameter given: has what may be another when a run goes on, where it is not as it is to begin with; nil for the file's.
    /// - Throws: `format` for options that are none.
    package func options(_ given: DistillationOptions?) throws -> DistillationOptions {
        try naming(file.path) {
            var options = given ?? Preset.fast.options
            for option in DistillationOptions.table {
                if DistillationOptions.ofAProcess.contains(option.name), option.value?(options) != option.initial.first { continue }
                let text = description[RunDescription.key(option: option.name)]
                guard let kind = option.value?(options), let text else { continue }
                guard let value = kind.reading(text) else { throw DaflError(.format, "its \(option.name) is \(quoted(text))") }
                try asFormat { try option.set(value, in: &options) }
            }
            options.checkpoint = given?.checkpoint ?? ""
            if description[RunDescription.givenStudentKey] == "true" {
                options.givenStudent = .resumed(
                    try asFormat { try student(description[RunDescription.studentKey] ?? "") },
                    started: description[DistillationOptions.studentWeights])
            }
            options.inputStatistics = try inputStatistics()
            return options
        }
    }

    /// One that the file has the weights of: what it asks for is what the file holds.
    private func student(_ text: String) throws -> Network {
        let network = try Network(description: text)
        let held = Dictionary(file.tensors.map { ($0.name, $0.dimensions) }) { first, _ in first }
        for parameter in network.parameters where held["student.network.\(parameter.name)"] != parameter.value.shape.dimensions {
            throw DaflError(.format, "has no weights \(quoted(parameter.name)) of its student")
        }
        return network
    }

    private func inputStatistics() throws -> InputStatistics? {
        guard let text = description[RunDescription.inputCountKey] else { return nil }
        let (means, deviations) = (try file.tensor(named: "teacher.mean"), try file.tensor(named: "teacher.deviation"))
        guard let count = Int(text), means.count == count, deviations.count == count else {
            throw DaflError(.format, "its \(RunDescription.inputCountKey) is \(quoted(text))")
        }
        (self.means, self.deviations) = (means, deviations)
        return InputStatistics(means: means.pointer, deviations: deviations.pointer, count: count)
    }

    /// The run, as it was.
    /// - Parameter options: all but what may be another must be those of the run.
    /// - Throws: `invalidArgument` for another teacher, student or options; `format`, and what `Distillation.init` throws.
    package func resume(
        teacher: any Teacher, answers: Answers, _ options: DistillationOptions, log: @escaping (LogLevel, String) -> Void
    ) throws -> Distillation {
        try naming(file.path) {
            let shapes = RunDescription.shapes(of: teacher)
            try description.require(shapes, in: shapes.keys)  // before a student is made for them
            let now = try RunDescription(
                teacher, options, student: .student(options, of: teacher, isRestored: true), checksums: options.checksums(teacher))
            try description.require(now, in: Set(description.keys).union(now.keys))
            let distillation = try Distillation(
                teacher: teacher, answers: answers, options, from: Archive(StateReader(file)), log: log)
            log(.info, "goes on from step \(distillation.progress.step) of \(options.steps), as saved in \(file.path)")
            return distillation
        }
    }

    /// What would be an argument of a caller's is here a fault of the file.
    private func asFormat<Result>(_ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch let error as DaflError where error.status == .invalidArgument {
            throw DaflError(.format, error.description)
        }
    }
}
