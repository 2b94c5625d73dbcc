import Glibc
import Numerics
import Training

/// Moves pictures a little towards classes, each to one of its own, by the teacher's gradients.
///
/// Of drawn pictures few are of all classes, and what is deep in the teacher hardly stirs. A few small steps change that. They
/// must be few, and smooth: with more, or finer ones, the teacher is sure of patterns that show nothing, which teach nothing
/// (benchmarks/ablation.md). So each step sees the pictures moved and mirrored at random, and its gradient is blurred.
final class PictureRefinement {
    private let teacher: any TeacherPass
    private let image: (channels: Int, height: Int, width: Int)
    private let softmax: Softmax
    private let moved: Tensor  // [n, image]
    private let blurred: Tensor  // [n, image]
    private let ones: Tensor  // [n]
    private let moves: Indices  // [n, 3]: down, right, whether mirrored
    private let range: ClosedRange<Float>?
    private let compute: Compute

    private static let steps = 5
    /// The root of the mean square of a step, in deviations of the inputs.
    private static let length: Float = 0.02
    /// Means of 3 x 3 pixels, one after the other: of six the deviation is two pixels.
    private static let blurs = 6

    /// - Parameters:
    ///   - teacher: a pass with gradients.
    ///   - range: of standardised inputs, where it is known.
    init(
        _ teacher: any TeacherPass, _ image: (channels: Int, height: Int, width: Int), range: ClosedRange<Float>?,
        _ compute: Compute
    ) throws {
        let n = teacher.images.samples, count = teacher.images.elements
        (self.teacher, self.image, self.range, self.compute) = (teacher, image, range, compute)
        softmax = try Softmax(samples: n, classes: teacher.logits.shape)
        moved = try Tensor([n, count])
        blurred = try Tensor([n, count])
        ones = try Tensor([n])
        ones.fill(1)
        moves = try Indices(count: 3 * n)
    }

    /// Changes pictures in rows [n, image].
    func refine(_ rows: Tensor, towards labels: Indices, _ random: inout Philox) throws {
        guard let byLogits = teacher.logitsGradient else { return }
        for _ in 0..<Self.steps {
            drawMoves(&random)
            move(rows, to: moved, back: false)
            teacher.images.load(rows: moved.pointer, compute)
            try teacher.forward()
            softmax.evaluate(teacher.logits, compute)
            for i in 0..<labels.count {
                for k in 0..<byLogits.elements {
                    byLogits[i, k] = softmax.probabilities[i, k] - (k == labels[i] ? 1 : 0)
                }
            }
            try teacher.backward()
            guard let gradient = teacher.imagesGradient else { return }
            gradient.store(rows: moved.pointer, compute)
            move(moved, to: blurred, back: true)
            blur()
            descend(rows)
        }
    }

    private func drawMoves(_ random: inout Philox) {
        let (down, right) = (max(1, image.height / 8), max(1, image.width / 8))
        for i in 0..<moves.count / 3 {
            moves[3 * i] = random.next(below: 2 * down + 1) - down
            moves[3 * i + 1] = random.next(below: 2 * right + 1) - right
            moves[3 * i + 2] = random.next(below: 2)
        }
    }

    /// What leaves at one side comes in at the other, so that it can be moved back.
    private func move(_ from: Tensor, to: Tensor, back: Bool) {
        let (height, width) = (image.height, image.width)
        compute.parallel(moves.count / 3) { range in
            for i in range {
                let (down, right, isMirrored) = (moves[3 * i], moves[3 * i + 1], moves[3 * i + 2] == 1)
                for plane in i * image.channels..<(i + 1) * image.channels {
                    for y in 0..<height {
                        let here = (plane * height + y) * width
                        let there = (plane * height + (y + down + height) % height) * width
                        for x in 0..<width {
                            let shifted = (x + right + width) % width
                            let other = there + (isMirrored ? width - 1 - shifted : shifted)
                            if back { to[other] = from[here + x] } else { to[here + x] = from[other] }
                        }
                    }
                }
            }
        }
    }

    /// Leaves the result in `blurred`.
    private func blur() {
        for _ in 0..<Self.blurs / 2 {
            for (from, to) in [(blurred, moved), (moved, blurred)] {
                compute.parallel(moves.count / 3) { range in
                    compute.kernels.smooth(
                        from.pointer, to.pointer, ones.pointer, ones.pointer, image.channels, image.height, image.width,
                        range.lowerBound, range.upperBound)
                }
            }
        }
    }

    private func descend(_ rows: Tensor) {
        let count = rows.shape[1]
        compute.parallel(rows.shape[0]) { samples in
            for i in samples {
                let (row, gradient) = (rows.pointer + i * count, blurred.pointer + i * count)
                var squares: Float = 0
                for j in 0..<count { squares += gradient[j] * gradient[j] }
                guard squares > 0, squares.isFinite else { continue }
                let step = Self.length / (squares / Float(count)).squareRoot()
                for j in 0..<count { row[j] -= step * gradient[j] }
                guard let range else { continue }
                for j in 0..<count { row[j] = min(max(row[j], range.lowerBound), range.upperBound) }
            }
        }
    }
}
