import Numerics

/// A teacher that only answers, with random-direction finite differences in the place of its gradients, as MAZE (Kariyappa et
/// al., CVPR 2021) and DFME (Truong et al., CVPR 2021) use them.
///
/// For an image x, dL/dt = g, dL/df = h and m directions v of random signs,
///
///     dL/dx ~ 1/m sum_v (g . (t(x + s v) - t(x)) + h . (f(x + s v) - f(x))) / s v
///
/// This is the published estimate, in d pixels, for unit vectors u = v / sqrt(d) and eps = s sqrt(d); signs need no
/// normalisation and few random numbers. As the mean of v v^T is the identity, the estimate's mean is the gradient, but for
/// what the teacher bends within a step. Its squared error is at least (d - 1) / m times the gradient's squared length:
/// mostly noise for one image, which the batch and Adam's moments average out for the generator.
///
/// Each direction asks the teacher about the batch once more.
final class DifferencesTeacher: WrappingTeacher {
    let wrapped: any Teacher
    private let directions: Int
    private let seed: UInt64

    /// - Parameters:
    ///   - teacher: whose answers change with small changes of the image: logits, also those of probabilities, not labels.
    ///   - directions: m, at least 1.
    init(_ teacher: any Teacher, directions: Int, seed: UInt64) {
        wrapped = teacher
        self.directions = directions
        self.seed = seed
    }

    var givesGradients: Bool { true }

    func plan(_ images: Batch, gradients: Bool, regularizerWeight: Double, _ compute: Compute) throws -> any TeacherPass {
        let answers = try wrapped.plan(images, gradients: false, regularizerWeight: regularizerWeight, compute)
        guard gradients else { return answers }
        // In memory of its own: the answers to the images themselves are still wanted after `backward`.
        let moved = try Batch(samples: images.samples, shape: images.shape)
        return try DifferencesPass(
            answers, moved: try wrapped.plan(moved, gradients: false, compute), directions: directions,
            Philox(seed: seed, stream: .differences))
    }

    private final class DifferencesPass: WrappingTeacherPass {
        let wrapped: any TeacherPass
        private let moved: any TeacherPass
        private let directions: Int
        private var random: Philox
        private let direction: Batch
        private let byLogits: Batch
        private let byFeatures: Batch?
        private let byImages: Batch

        init(_ answers: any TeacherPass, moved: any TeacherPass, directions: Int, _ random: Philox) throws {
            func zeros(like batch: Batch) throws -> Batch { try Batch(samples: batch.samples, shape: batch.shape) }
            wrapped = answers
            self.moved = moved
            self.directions = directions
            self.random = random
            direction = try zeros(like: answers.images)
            byLogits = try zeros(like: answers.logits)
            byFeatures = try answers.features.map(zeros)
            byImages = try zeros(like: answers.images)
        }

        var logitsGradient: Batch? { byLogits }
        var featuresGradient: Batch? { byFeatures }
        var imagesGradient: Batch? { byImages }

        func backward() throws {
            byImages.fill(0)
            let (x, there) = (images.pointer, moved.images.pointer)
            for _ in 0..<directions {
                random.fillSigns(direction)
                for i in 0..<images.count { there[i] = x[i] + Self.distance * direction.pointer[i] }
                try moved.forward()
                for i in 0..<images.samples {
                    var change = Self.change(i, from: logits, to: moved.logits, by: byLogits)
                    if let features, let movedFeatures = moved.features, let byFeatures {
                        change += Self.change(i, from: features, to: movedFeatures, by: byFeatures)
                    }
                    let slope = Float(change / (Double(Self.distance) * Double(directions)))
                    for pixel in 0..<images.elements { byImages[i, pixel] += slope * direction[i, pixel] }
                }
            }
            try addRegularizer(to: byImages)
        }

        func persist(_ archive: Archive) { archive.random("directions", &random) }

        /// What of L changes, to first order, with a sample's answer.
        private static func change(_ i: Int, from before: Batch, to after: Batch, by gradient: Batch) -> Double {
            (0..<before.elements).reduce(0) { $0 + Double(gradient[i, $1]) * (Double(after[i, $1]) - Double(before[i, $1])) }
        }

        /// s, by which each pixel moves: an eps of 0.032 for LeNet-5's 1,024 pixels. The generator's images have a standard
        /// deviation of 1, so one number fits all.
        ///
        /// Rectifiers and poolings bend within a large step, and float32 rounds a small one. On LeNet-5 and images of trained
        /// generators, what differences say of the slope along v, averaged over v and -v, is off by 0.20 to 0.22 of its size
        /// for 1e-2, 0.11 to 0.13 for 1e-3, 0.09 to 0.10 for 1e-4 and 0.08 for 3e-5, the published eps. So rounding does
        /// not yet bite there; 1e-3 leaves room for teachers that round more coarsely.
        private static let distance: Float = 1e-3
    }
}
