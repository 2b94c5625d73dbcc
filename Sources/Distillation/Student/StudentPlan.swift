import Networks
import Numerics
import Training

/// A student that the host brings along.
package enum GivenStudent {
    /// With new weights, drawn from the seed.
    case graph(Graph)
    /// With its weights as they are. Copied.
    case network(Network)
    /// Of a run that goes on, whose checkpoint has its weights. With the checksum of those that it started with; nil where they were new.
    case resumed(Network, started: String?)

    /// Of the weights that it starts with, or started.
    var weightsChecksum: String? {
        switch self {
        case .graph: nil
        case .network(let network): network.weightsChecksum
        case .resumed(_, let checksum): checksum
        }
    }
}

/// What a student is to be, and what its weights start as.
struct StudentPlan {
    private let graph: Graph
    private let architecture: String?
    /// Whose weights it starts with; nil for new ones.
    private var start: Network?
    /// Whose constants it has, which are part of what a graph computes, and not learned.
    private var constants: Network?

    /// - Parameter classes: how many logits the student is to have.
    /// - Throws: `invalidArgument` for a text that names no student.
    init(_ options: DistillationOptions, of teacher: any Teacher, classes: Int) throws {
        switch options.givenStudent {
        case .network(let network), .resumed(let network, _):
            (graph, architecture) = (network.graph.withoutUnits(), network.inputUnits == nil ? network.architecture : nil)
            start = network
        case .graph(let given): (graph, architecture) = (given, nil)
        case nil:
            let own = (teacher as? NetworkTeacher)?.network
            if let scale = try StudentScale(options.student) ?? (options.student == "auto" && own != nil ? StudentScale(width: 0.5) : nil) {
                guard let own else {
                    throw DaflError.invalid(
                        "student", "\"\(options.student)\"",
                        "\"small\", an architecture or a description for a teacher whose graph the library does not know")
                }
                (graph, architecture, constants) = (try own.student(scale), nil, own)
            } else if ["auto", "small"].contains(options.student) {
                (graph, architecture) = (Graph.small(input: teacher.inputShape.dimensions, classes: classes), nil)
            } else {
                (graph, architecture) = (try Self.named(options.student), options.student)
            }
        }
    }

    private static func named(_ text: String) throws -> Graph {
        do {
            return try Graph(architecture: text)
        } catch let error as DaflError where error.status == .invalidArgument {
            throw DaflError(
                error.status, "\(error); or \"auto\", \"half\", \"width=0.25,depth=0.5\", \"small\", a description in JSON, or the "
                    + "path of a .json, .onnx or .safetensors file")
        }
    }

    /// - Parameter isRestored: whether its weights are about to be set: none are drawn then, nor copied.
    func network(seed: UInt64, isRestored: Bool) throws -> Network {
        let network = try Network(graph, architecture: architecture)
        guard !isRestored else { return network }
        var random = Philox(seed: seed, stream: .weights)
        network.initialise(&random)
        if let constants { network.loadConstants(from: constants) }
        if let start { network.loadWeights(of: start) }
        return network
    }
}

extension DistillationOptions {
    /// What to tell of a student that is to drop and cannot, or that was to be a share of its teacher and is not smaller; nil
    /// for nothing.
    func surprise(_ student: Network, of teacher: any Teacher) throws -> String? {
        if studentDropout == 1, !student.nodes.contains(where: { $0.kind == .dropout }) {
            return "student_dropout is 1, and the student \"\(student.name)\" has no dropout layer"
        }
        guard givenStudent == nil, let scale = try StudentScale(self.student), scale.width < 1 || scale.depth < 1,
            let own = (teacher as? NetworkTeacher)?.network, student.parameterCount >= own.parameterCount
        else { return nil }
        return "the student \"\(self.student)\" has \(student.parameterCount) parameters and its teacher \(own.parameterCount): "
            + "nothing in the teacher's graph could be made smaller. An architecture or \"small\" may be"
    }
}

extension Network {
    /// The student that options ask for, which takes a teacher's standardised images and answers with its classes, or, of a
    /// teacher with one output, with one too.
    /// - Throws: `invalidArgument` for one that does not, or for what names none; `outOfMemory`.
    /// - Parameter isRestored: whether its weights are about to be set.
    package static func student(
        _ options: DistillationOptions, of teacher: any Teacher, isRestored: Bool = false
    ) throws -> Network {
        let classes = AnswerReading.classes(ofRows: teacher.classes)
        let student: Network
        do {
            student = try StudentPlan(options, of: teacher, classes: classes).network(
                seed: options.seed, isRestored: isRestored)
        } catch let error as DaflError {
            throw DaflError(error.status, "student: \(error)")
        }
        guard student.inputUnits == nil, student.inputShape.takes(teacher.inputShape),
            [classes, teacher.classes].contains(student.outputShape.count)
        else {
            throw DaflError.invalid(
                "student", "\"\(student.name)\", from inputs of shape \(student.inputShape) to \(student.outputShape.count) classes",
                "a network from the teacher's \(teacher.inputShape) to \(classes) classes\(teacher.classes == 1 ? " or 1 number" : ""), "
                    + "without units of its own; an architecture has arguments for that, such as resnet8(channels=1,side=28,classes=10)")
        }
        return student
    }
}

extension Network {
    /// A teacher's graph, smaller, for weights that start from nothing: without what belongs to the teacher's own.
    ///
    /// Most files have their batch normalisations folded into their convolutions. Deep graphs get them back to train with.
    fileprivate func student(_ scale: StudentScale) throws -> Graph {
        let bare = graph.withoutUnits().withoutQuantisation()
        var student = try bare.scaled(width: scale.width, depth: scale.depth)
        let (convolutions, norms) = (bare.nodes.filter { $0.kind == .convolution }, bare.nodes.filter { $0.kind == .batchNorm })
        if norms.isEmpty, convolutions.count > 3 { student = try student.restoringBatchNorms() }
        return student
    }
}
