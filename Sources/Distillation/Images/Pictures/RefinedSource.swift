import Glibc
import Numerics
import Training

/// `ProceduralPictures` for a student that starts with its teacher's weights: by turns as they are drawn, and chosen and refined
/// so that there are as many of each class: see `PictureRefinement`.
final class RefinedSource: ImageSource {
    private let teacher: any TeacherPass
    private let pictures: ProceduralPictures
    private let refinement: PictureRefinement
    private let rows: Tensor  // [n, image]
    private let logits: Tensor  // [choice n, K]
    private let picks: Indices
    private let labels: Indices
    private let loss: GeneratorLoss
    private let seed: UInt64
    private let compute: Compute
    private var step = 0
    /// Batches of pictures so far.
    private var drawn = 0

    /// Pictures drawn for each that is refined.
    private static let choice = 4

    /// - Throws: `unsupported` when nothing can be drawn for the teacher, `outOfMemory`.
    init(_ teacher: any Teacher, _ units: TeacherUnits?, _ options: DistillationOptions, _ compute: Compute) throws {
        guard let image = ProceduralSource.image(of: teacher.inputShape, options) else {
            throw DaflError(.unsupported, "nothing can be drawn for the teacher's input_shape \(teacher.inputShape)")
        }
        let n = options.batchSize, range = units?.standardisedRange
        let pass = try teacher.plan(try Batch(samples: n, shape: teacher.inputShape), gradients: true, compute)
        self.teacher = pass
        pictures = try ProceduralPictures(image, standardised: range, ofScenes: true, compute)
        refinement = try PictureRefinement(pass, image, range: range, compute)
        rows = try Tensor([n, teacher.inputShape.count])
        logits = try Tensor([Self.choice * n, teacher.classes])
        picks = try Indices(count: n)
        labels = try Indices(count: n)
        loss = try GeneratorLoss(options.lossWeights, samples: n, classes: teacher.classes, compute)
        seed = options.ownSeed
        self.compute = compute
    }

    var images: Batch { teacher.images }
    var targets: Targets { Targets(teacher) }

    func persist(_ archive: Archive) {
        archive.whole("step", &step, in: Archive.counts)
        archive.whole("drawn", &drawn, in: 0...HoldoutAgreement.firstPicture / images.samples)
        archive.part("teacher", teacher)
    }

    func next() throws -> GeneratorLoss.Value {
        let n = picks.count, first = drawn * n
        let isRefined = step % 2 == 1
        var random = Philox(seed: seed, stream: .noise, substream: UInt32(truncatingIfNeeded: step))
        step += 1
        drawn += isRefined ? Self.choice : 1
        if isRefined {
            for part in 0..<Self.choice {
                pictures.draw(seed: seed, first: first + part * n, count: n, rows: rows.pointer)
                images.load(rows: rows.pointer, compute)
                try teacher.forward()
                teacher.logits.store(rows: logits.pointer + part * n * teacher.logits.elements, compute)
            }
            choose(first: step / 2)
            pictures.draw(seed: seed, first: first, picks: picks, rows: rows.pointer)
            try refinement.refine(rows, towards: labels, &random)
        } else {
            pictures.draw(seed: seed, first: first, count: n, rows: rows.pointer)
        }
        images.load(rows: rows.pointer, compute)
        try teacher.forward()
        return try loss.evaluate(logits: teacher.logits, features: teacher.features, logitsGradient: nil, featuresGradient: nil)
    }

    /// For one class after the other, the picture that of those left is most likely of it.
    private func choose(first: Int) {
        let classes = logits.shape[1], count = logits.shape[0]
        for i in 0..<count {
            let row = logits.pointer + i * classes, most = row[logits.argmax(row: i)]
            var sum: Float = 0
            for k in 0..<classes { sum += expf(row[k] - most) }
            for k in 0..<classes { row[k] -= most + logf(sum) }
        }
        for place in 0..<picks.count {
            let label = (first + place) % classes
            var best = 0
            for i in 0..<count where logits[i * classes + label] > logits[best * classes + label] { best = i }
            (picks[place], labels[place]) = (best, label)
            for k in 0..<classes { logits[best * classes + k] = -.infinity }
        }
    }

    /// As drawn: to look at pictures is no question to the teacher.
    func sample(_ random: inout Philox, count: Int, rows: UnsafeMutablePointer<Float>) throws {
        let seed = random.nextSeed()
        pictures.draw(seed: seed, first: 0, count: count, rows: rows)
    }
}
