import CDafl
import Distillation
import Numerics

/// A host's callbacks as the teacher: lanes become rows for them, and their rows lanes.
final class CallbackTeacher: Teacher {
    let inputShape: Shape
    let classes: Int
    let features: Int
    let answers: Answers
    fileprivate let forward: dafl_teacher_forward_fn
    fileprivate let backward: dafl_teacher_backward_fn?
    fileprivate let regularizer: dafl_teacher_regularizer_fn?
    fileprivate let userData: UnsafeMutableRawPointer?

    /// - Throws: `invalidArgument` for a description that is no teacher's, `outOfMemory` when its sizes overflow.
    init(_ c: dafl_teacher) throws {
        guard let forward = c.forward else { throw DaflError.invalid("forward of the teacher", "NULL", "a function") }
        self.forward = forward
        backward = c.backward
        regularizer = c.regularizer
        userData = c.user_data
        let (channels, height, width) = c.input_shape
        inputShape = try Shape([channels, height, width].map { try requireWhole($0, "input_shape of the teacher", 1...Int.max) })
        classes = try requireWhole(c.classes, "classes of the teacher", 1...Int.max)
        features = try requireWhole(c.features, "features of the teacher", 0...Int.max)
        guard let answers = Answers(rawValue: try requireWhole(c.answers, "answers of the teacher", 0...3)) else {
            throw DaflError.invalid("answers of the teacher", c.answers, "one of DAFL_ANSWERS_...")
        }
        guard answers != .labels || c.backward == nil else {
            throw DaflError.invalid("backward of the teacher", "set", "NULL when its answers are labels")
        }
        self.answers = answers
    }

    var givesGradients: Bool { backward != nil }

    var hasRegularizer: Bool { regularizer != nil }

    func plan(_ images: Batch, gradients: Bool, regularizerWeight: Double, _ compute: Compute) throws -> any TeacherPass {
        try CallbackTeacherPass(
            self, images, gradients: gradients, regularizerWeight: hasRegularizer ? regularizerWeight : 0, compute)
    }
}

private final class CallbackTeacherPass: TeacherPass {
    let images: Batch
    let logits: Batch
    let features: Batch?
    let logitsGradient: Batch?
    let featuresGradient: Batch?
    let imagesGradient: Batch?
    private(set) var regularizer = 0.0
    private let regularizerWeight: Double
    private let teacher: CallbackTeacher
    private let compute: Compute
    // What the callbacks see.
    private let imageRows: Tensor
    private let logitRows: Tensor
    private let featureRows: Tensor?
    private let imageGradientRows: Tensor?
    private let regularizerGradient: Batch?

    init(
        _ teacher: CallbackTeacher, _ images: Batch, gradients: Bool, regularizerWeight: Double, _ compute: Compute
    ) throws {
        self.teacher = teacher
        self.images = images
        self.regularizerWeight = regularizerWeight
        self.compute = compute
        let samples = images.samples
        let features = teacher.features > 0 ? teacher.features : nil
        logits = try Batch(samples: samples, shape: Shape([teacher.classes]))
        self.features = try features.map { try Batch(samples: samples, shape: Shape([$0])) }
        logitsGradient = gradients ? try Batch(samples: samples, shape: logits.shape) : nil
        featuresGradient = gradients ? try self.features.map { try Batch(samples: samples, shape: $0.shape) } : nil
        let usesRegularizer = regularizerWeight != 0
        imagesGradient = gradients || usesRegularizer ? try Batch(samples: samples, shape: images.shape) : nil
        regularizerGradient = usesRegularizer ? try Batch(samples: samples, shape: images.shape) : nil
        imageRows = try Tensor([samples, images.elements])
        logitRows = try Tensor([samples, teacher.classes])
        featureRows = try features.map { try Tensor([samples, $0]) }
        imageGradientRows = imagesGradient == nil ? nil : try Tensor([samples, images.elements])
    }

    func forward() throws {
        images.store(rows: imageRows.pointer, compute)
        // What a callback forgets to write is found by not being a number.
        logitRows.fill(.nan)
        featureRows?.fill(.nan)
        let code = FloatingPoint.ofTheHost {
            teacher.forward(
                teacher.userData, Int64(images.samples), imageRows.pointer, logitRows.pointer, featureRows?.pointer)
        }
        guard code == 0 else { throw CallbackStop(code: code, callback: "teacher's forward") }
        logits.load(rows: logitRows.pointer, compute)
        if let featureRows { features?.load(rows: featureRows.pointer, compute) }
    }

    func backward() throws {
        guard let imagesGradient, let imageGradientRows else { return }
        images.store(rows: imageRows.pointer, compute)
        if let backward = teacher.backward, let logitsGradient {
            logitsGradient.store(rows: logitRows.pointer, compute)
            if let featureRows { featuresGradient?.store(rows: featureRows.pointer, compute) }
            imageGradientRows.fill(.nan)
            let code = FloatingPoint.ofTheHost {
                backward(
                    teacher.userData, Int64(images.samples), imageRows.pointer, logitRows.pointer, featureRows?.pointer,
                    imageGradientRows.pointer)
            }
            guard code == 0 else { throw CallbackStop(code: code, callback: "teacher's backward") }
            imagesGradient.load(rows: imageGradientRows.pointer, compute)
        } else {
            imagesGradient.fill(0)
        }
        if let regularize = teacher.regularizer, let regularizerGradient {
            imageGradientRows.fill(.nan)
            regularizer = .nan
            let code = FloatingPoint.ofTheHost {
                regularize(
                    teacher.userData, Int64(images.samples), imageRows.pointer, &regularizer, imageGradientRows.pointer)
            }
            guard code == 0 else { throw CallbackStop(code: code, callback: "teacher's regularizer") }
            regularizerGradient.load(rows: imageGradientRows.pointer, compute)
            try regularizerGradient.requireFinite("regularizer's gradient")
            imagesGradient.add(regularizerGradient, times: Float(regularizerWeight))
        }
    }
}
