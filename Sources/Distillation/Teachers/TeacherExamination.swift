import Glibc
import Networks
import Numerics
import Training

/// What a teacher is like, as far as what it returns for noise tells: asked before anything is learned from it, so that a
/// stranger's model is understood or the user told what to change.
///
/// Three of four images are white noise, the last ones strong coarse patches: so the halves of the batch have other statistics.
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
            guard !isWhite(i, of: images.samples) else { continue }
            let strength: Float = [1, 2, 3][i % 3]
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

    private static func isWhite(_ image: Int, of images: Int) -> Bool { 4 * image < 3 * images }

    /// Whether all rows look like probabilities.
    var areProbabilities: Bool {
        (0..<pass.logits.samples).allSatisfy { pass.logits.looksLikeProbabilities($0, tolerance: 0.01) }
    }

    /// Less than this share of what it could tell, and a teacher knows too little of the images: those that took other units had
    /// up to 0.08 (a digits' network for pixels from 0 to 16; most below 0.03), those in their own units from 0.09 up
    /// (ResNet-20 0.12, a forest 0.11, LeNet-5 0.26, linear models 0.4).
    static let leastTold = 1.0 / 12

    /// How much the teacher's answers to images of white noise tell of which image it was: the mutual information of image and
    /// class, H(mean_i p_i) - mean_i H(p_i), as a share of log K, the most that they could tell. And the class it names most.
    func toldOfNoise(_ answers: Answers) throws -> (share: Double, label: Int, count: Int, images: Int) {
        let white = (0..<images).filter { Self.isWhite($0, of: images) }
        let classes = AnswerReading.classes(ofRows: rows.shape[1])
        let (p, mean, counts) = (try Doubles(count: classes), try Doubles(count: classes), try Indices(count: classes))
        var entropies = 0.0
        for image in white {
            counts[writeProbabilities(image, answers, to: p)] += 1
            entropies += Self.entropy(p) / Double(white.count)
            for k in 0..<classes { mean[k] += p[k] / Double(white.count) }
        }
        let label = (0..<classes).max { counts[$0] < counts[$1] } ?? 0
        return ((Self.entropy(mean) - entropies) / log(Double(classes)), label, counts[label], white.count)
    }

    private var images: Int { rows.shape[0] }

    /// Writes the classes' probabilities that a row stands for, and returns the largest's class.
    private func writeProbabilities(_ image: Int, _ answers: Answers, to p: Doubles) -> Int {
        let numbers = rows.shape[1]
        for k in 0..<numbers { p[k] = Double(rows[image * numbers + k]) }
        if numbers == 1 { (p[0], p[1]) = (answers == .logits ? 0 : 1 - p[0], p[0]) }
        let winner = (0..<p.count).max { p[$0] < p[$1] } ?? 0
        let top = p[winner]
        var sum = 0.0
        for k in 0..<p.count {
            switch answers {
            case .logits, .automatic: p[k] = exp(p[k] - top)
            case .probabilities: p[k] = max(p[k], 0)
            case .labels: p[k] = k == winner ? 1 : 0
            }
            sum += p[k]
        }
        for k in 0..<p.count { p[k] /= max(sum, 1e-30) }
        return winner
    }

    private static func entropy(_ p: Doubles) -> Double { -(0..<p.count).reduce(0) { $0 + p[$1] * log(max(p[$1], 1e-30)) } }

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
        return share > 0.05 ? Int(min(share * 100, 1e6)) : nil
    }
}
