import Numerics

/// Any teacher, watched: counts what it is asked and keeps to a limit, refuses answers that are not numbers, and lets a run be
/// cancelled between two calls.
final class ObservedTeacher: WrappingTeacher, Persistent {
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

    func persist(_ archive: Archive) {
        archive.whole("calls", &calls, in: Archive.counts)
        archive.whole("images", &images, in: Archive.counts)
    }

    func plan(_ images: Batch, gradients: Bool, regularizerWeight: Double, _ compute: Compute) throws -> any TeacherPass {
        let pass = try wrapped.plan(images, gradients: gradients, regularizerWeight: regularizerWeight, compute)
        let asksRegularizer = wrapped.hasRegularizer && regularizerWeight != 0
        return ObservedPass(pass, self, callsBackward: (gradients ? 1 : 0) + (asksRegularizer ? 1 : 0))
    }

    private final class ObservedPass: WrappingTeacherPass {
        let wrapped: any TeacherPass
        private let observer: ObservedTeacher
        private let callsBackward: Int

        /// - Parameter callsBackward: of the teacher, for one `backward`.
        init(_ pass: any TeacherPass, _ observer: ObservedTeacher, callsBackward: Int) {
            wrapped = pass
            self.observer = observer
            self.callsBackward = callsBackward
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
            observer.calls += callsBackward
            try wrapped.backward()
            guard regularizer.isFinite else {
                throw DaflError(.teacher, "the teacher's regularizer of a batch is \(regularizer); it must be finite")
            }
            if let imagesGradient { try imagesGradient.requireFinite("gradient by the images") }
            try observer.cancellation.check()
        }
    }
}

extension Batch {
    /// - Throws: `teacher` for a part of its answer that is not all finite.
    package func requireFinite(_ name: String) throws {
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
