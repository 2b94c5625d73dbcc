import Numerics

/// Any teacher, watched: counts what it is asked and keeps to a limit, refuses answers that are not numbers, and lets a run be
/// cancelled between two calls.
final class ObservedTeacher: WrappingTeacher {
    let wrapped: any Teacher
    private let cancellation: Cancellation
    /// Calls of forward and backward.
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
            try require(logits, "logits")
            if let features { try require(features, "features") }
            try observer.cancellation.check()
        }

        func backward() throws {
            observer.calls += 1
            try wrapped.backward()
            if let imagesGradient { try require(imagesGradient, "gradient by the images") }
            try observer.cancellation.check()
        }

        private func require(_ answer: Batch, _ name: String) throws {
            guard !answer.isFinite, let (sample, value) = answer.firstNotFinite else { return }
            throw DaflError(
                .teacher,
                "the teacher's \(name) of image \(sample) of \(answer.samples) contain \(value); they must be finite")
        }
    }
}

extension Batch {
    /// The first sample with a number that is infinite or NaN, and that number.
    var firstNotFinite: (sample: Int, value: Float)? {
        for sample in 0..<samples {
            for element in 0..<elements where !self[sample, element].isFinite { return (sample, self[sample, element]) }
        }
        return nil
    }
}
