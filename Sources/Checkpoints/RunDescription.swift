import CDafl
import Distillation
import Formats
import Networks
import Numerics
import Training

/// Which run a checkpoint is of, as texts by names.
typealias RunDescription = [String: String]

extension RunDescription {
    static let formatKey = "format", format = "dafl-checkpoint"
    static let versionKey = "version"
    static let studentKey = "student"
    /// Whether the host gave it, or it is made of the options and the teacher.
    static let givenStudentKey = "student_given"
    /// Means and deviations of the inputs that the host gave; absent where it gave none.
    static let inputCountKey = "input_count"

    static func key(option name: String) -> String { "option.\(name)" }

    /// A later minor version may change what a seed leads to.
    static var version: String { "\(DAFL_VERSION_MAJOR).\(DAFL_VERSION_MINOR)" }

    static func shapes(of teacher: any Teacher) -> RunDescription {
        [
            "teacher.input_shape": "\(teacher.inputShape)", "teacher.classes": "\(teacher.classes)",
            "teacher.features": "\(teacher.features)", "teacher.gives_gradients": "\(teacher.givesGradients)",
            "teacher.has_regularizer": "\(teacher.hasRegularizer)",
        ]
    }

    /// What must be the same for a run to go on.
    /// - Parameter checksums: see `DistillationOptions.checksums`.
    init(_ teacher: any Teacher, _ options: DistillationOptions, student: Network, checksums: [String: String]) {
        self = Self.shapes(of: teacher)
        self[Self.formatKey] = Self.format
        self[Self.versionKey] = Self.version
        self[Self.studentKey] = student.description
        self[Self.givenStudentKey] = "\(options.givenStudent != nil)"
        for (name, checksum) in checksums { self[name] = checksum }
        self[Self.inputCountKey] = options.inputStatistics.map { "\($0.count)" }
        for option in DistillationOptions.table {
            self[Self.key(option: option.name)] = option.value?(options).text
        }
    }

    /// - Throws: `invalidArgument` with the first thing that is another in the run that is to go on.
    /// - Parameter keys: of what is compared.
    func require(_ now: RunDescription, in keys: some Collection<String>) throws {
        for key in keys.sorted() where self[key] != now[key] && !isOfAProcess(key) && !isNewer(key, now) {
            let sides = [self[key], now[key]].map { $0.map { text in quoted(text) } ?? "not given" }
            throw DaflError(
                .invalidArgument, "the checkpoint is of another run: \(printable(key)) was \(sides[0]) there, and is \(sides[1])")
        }
    }

    private func isOfAProcess(_ key: String) -> Bool {
        // Of a student, what it is is compared, and not in which words it was asked for.
        DistillationOptions.ofAProcess.union(["student"]).contains { Self.key(option: $0) == key }
    }

    /// An option that was added since, in another release of the same minor version, and is as it is to begin with.
    private func isNewer(_ key: String, _ now: RunDescription) -> Bool {
        self[key] == nil
            && DistillationOptions.table.contains { option in
                Self.key(option: option.name) == key && option.initial.contains { $0.text == now[key] }
            }
    }
}
