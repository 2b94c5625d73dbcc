import Networks
import Numerics
import Training

/// What a teacher is like, as far as what it returns for noise tells: asked before anything is learned from it, so that a
/// stranger's model is understood or the user told what to change.
///
/// Three of four images are white noise, the others coarse patches of several strengths, which move what an image's mean moves.
struct TeacherExamination {
    /// Queries it makes of a teacher in all, and where there may be few: what its rows are can be seen from some.
    static let queries = 3 * samples
    static let fewestQueries = 8
    private static let samples = 32
    /// Teachers with fewer queries to give than this are spared all but what must be known.
    static let limitForAll = 1000

    /// The rows that the teacher returned, [n, numbers].
    private let rows: Tensor
    private let pass: any TeacherPass
    private let teacher: any Teacher
    private let compute: Compute

    /// Queries the teacher once.
    init(_ teacher: any Teacher, samples: Int = Self.samples, seed: UInt64, _ compute: Compute) throws {
        let images = try Batch(samples: samples, shape: teacher.inputShape)
        var random = Philox(seed: seed, stream: .examination)
        Self.fill(images, &random)
        self.teacher = teacher
        self.compute = compute
        pass = try teacher.plan(images, gradients: false, compute)
        try pass.forward()
        rows = try Tensor([samples, pass.logits.elements])
        pass.logits.store(rows: rows.pointer, compute)
    }

    private static func fill(_ images: Batch, _ random: inout Philox) {
        random.fillNormal(images)
        let (channels, height, width) = images.shape.channelsHeightWidth
        for i in 0..<images.samples {
            guard !isWhite(i) else { continue }
            let strength: Float = [0.5, 1, 2][i / 4 % 3]
            // It repeats the number at the corner of each of at most 4 x 4 patches.
            let (down, across) = ((height + 3) / 4, (width + 3) / 4)
            for c in 0..<channels {
                for y in 0..<height {
                    for x in 0..<width {
                        let corner = (c * height + y / down * down) * width + x / across * across
                        let isCorner = y % down == 0 && x % across == 0
                        images[i, (c * height + y) * width + x] = images[i, corner] * (isCorner ? strength : 1)
                    }
                }
            }
        }
    }

    private static func isWhite(_ image: Int) -> Bool { image % 4 < 3 }

    /// Whether all rows look like probabilities.
    var areProbabilities: Bool {
        (0..<pass.logits.samples).allSatisfy { pass.logits.looksLikeProbabilities($0, tolerance: 0.01) }
    }

    /// The class that nearly all images of white noise are taken for; nil when there is none.
    func soleClass(_ answers: Answers) -> (label: Int, count: Int, images: Int)? {
        let threshold: Float = answers == .logits ? 0 : 0.5
        let white = (0..<rows.shape[0]).filter(Self.isWhite)
        var counts: [Int: Int] = [:]
        for i in white {
            counts[rows.shape[1] == 1 ? (rows[i] >= threshold ? 1 : 0) : pass.logits.argmax(i), default: 0] += 1
        }
        guard let most = counts.max(by: { ($0.value, $1.key) < ($1.value, $0.key) }) else { return nil }
        return most.value * 20 >= white.count * 19 ? (most.key, most.value, white.count) : nil
    }

    /// What is wrong with a teacher that returns something else for the same images, and how far it is off, as a share of
    /// how much its rows differ from each other; nil for one that does not. Queries it about all images again, and about
    /// each half of them.
    func instability() throws -> String? {
        try pass.forward()
        if let share = difference(pass.logits, from: 0) {
            return "returns something else for the same images when it is queried again (different by \(share) % of what "
                + "different images differ by): dropout or sampling may be left on, also where a module's eval() does not "
                + "reach it"
        }
        let half = try Batch(samples: pass.images.samples / 2, shape: pass.images.shape)
        let halfPass = try teacher.plan(half, gradients: false, compute)
        for start in [0, half.samples] {
            for i in 0..<half.samples {
                for e in 0..<half.elements { half[i, e] = pass.images[start + i, e] }
            }
            try halfPass.forward()
            if let share = difference(halfPass.logits, from: start) {
                return "returns something else for an image when other images are in its batch (different by \(share) % of what "
                    + "different images differ by): batch normalisation may be in training mode"
            }
        }
        return nil
    }

    /// In per cent of the deviation of all rows, when it is more than rounding explains, half precision included.
    private func difference(_ batch: Batch, from start: Int) -> Int? {
        let (numbers, count) = (rows.shape[1], rows.shape[0])
        var (variance, squares) = (0.0, 0.0)
        for k in 0..<numbers {
            let mean = (0..<count).reduce(0.0) { $0 + Double(rows[$1 * numbers + k]) } / Double(count)
            for i in 0..<count {
                let distance = Double(rows[i * numbers + k]) - mean
                variance += distance * distance / Double(count)
            }
            for i in 0..<batch.samples {
                let distance = Double(batch[i, k]) - Double(rows[(start + i) * numbers + k])
                squares += distance * distance / Double(batch.samples)
            }
        }
        let share = (squares / max(variance, 1e-12)).squareRoot()
        return share > 0.03 ? Int(min(share * 100, 1e6)) : nil
    }
}
