import Numerics

/// Any teacher, watched: counts what it is asked and keeps to a limit, refuses answers that are not numbers, and lets a run be
/// cancelled between two calls.
final class ObservedTeacher: WrappingTeacher {
    let wrapped: any Teacher
    private let cancellation: Cancellation
    /// Calls of forward, backward and the regularizer.
    private(set) var calls = 0
    /// Images answered for: the queries that a metered teacher would bill.
    private(set) var images = 0
    private let limit: Int

    /// - Parameter limit: of images; 0 for none.
    init(_ teacher: any Teacher, limit: Int, _ cancellation: Cancellation) {
        wrapped = teacher
        self.limit = limit
        self.cancellation = cancellation
    }

    func plan(_ images: Batch, gradients: Bool, _ compute: Compute) throws -> any TeacherPass {
        ObservedPass(try wrapped.plan(images, gradients: gradients, compute), self)
    }

    func planRegularizer(_ images: Batch, _ compute: Compute) throws -> (any ImageRegularizer)? {
        try wrapped.planRegularizer(images, compute).map { ObservedRegularizer($0, self) }
    }

    private final class ObservedPass: WrappingTeacherPass {
        let wrapped: any TeacherPass
        private let observer: ObservedTeacher

        init(_ pass: any TeacherPass, _ observer: ObservedTeacher) {
            wrapped = pass
            self.observer = observer
        }

        func forward() throws {
            guard observer.limit == 0 || images.samples <= observer.limit - observer.images else {
                throw DaflError(
                    .queriesSpent,
                    "max_teacher_queries is \(observer.limit), and the teacher has answered for \(observer.images) images")
            }
            observer.calls += 1
            observer.images += images.samples
            try wrapped.forward()
            try logits.requireFinite("logits")
            if let features { try features.requireFinite("features") }
            try observer.cancellation.check()
        }

        func backward() throws {
            observer.calls += 1
            try wrapped.backward()
            if let imagesGradient { try imagesGradient.requireFinite("gradient by the images") }
            try observer.cancellation.check()
        }
    }

    private final class ObservedRegularizer: ImageRegularizer {
        private let wrapped: any ImageRegularizer
        private let observer: ObservedTeacher

        init(_ regularizer: any ImageRegularizer, _ observer: ObservedTeacher) {
            wrapped = regularizer
            self.observer = observer
        }

        var gradient: Batch { wrapped.gradient }

        func evaluate() throws -> Double {
            observer.calls += 1
            let value = try wrapped.evaluate()
            guard value.isFinite else {
                throw DaflError(.teacher, "the teacher's regularizer of a batch is \(value); it must be finite")
            }
            try gradient.requireFinite("regularizer's gradient")
            try observer.cancellation.check()
            return value
        }
    }
}

extension Batch {
    /// - Throws: `teacher` for a part of its answer that is not all finite.
    fileprivate func requireFinite(_ name: String) throws {
        guard !isFinite, let (sample, value) = firstNotFinite else { return }
        throw DaflError(
            .teacher, "the teacher's \(name) of image \(sample) of \(samples) contain \(value); they must be finite")
    }

    /// The first sample with a number that is infinite or NaN, and that number.
    var firstNotFinite: (sample: Int, value: Float)? {
        for sample in 0..<samples {
            for element in 0..<elements where !self[sample, element].isFinite { return (sample, self[sample, element]) }
        }
        return nil
    }
}
