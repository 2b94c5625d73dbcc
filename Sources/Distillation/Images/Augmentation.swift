import Glibc
import Numerics

/// Moves, turns, scales and shears images a little, makes some of them softer and some their negatives, each in its own way.
///
/// The teacher's answer need not survive it: it is asked again about the image as it is then. Labels of data stay. At
/// strength 1 an image moves by up to a sixteenth of its height and width, turns by up to 0.25 radians, is scaled by a
/// factor between exp(-0.15) and exp(0.15), and sheared by up to 0.15: each number evenly distributed, the factor on a
/// logarithmic scale. Half of the images are blended with the means of 3 x 3 pixels, which count for up to all: generators
/// draw harder edges than there are in the world. Three of ten images x become -x, where that is asked for: the images of
/// standardised generators are as often dark on a bright ground as bright on a dark one, and one generator seldom both.
/// Angles and shears are those of the image stretched to a square, so that the ends of a long one stay within it.
final class Augmentation {
    private let strength: Float
    private let channels: Int
    private let height: Int
    private let width: Int
    private let maps: Tensor  // [n, 6]
    private let shares: Tensor  // [n], of the means
    private let makesNegatives: Bool
    private let signs: Tensor  // [n]
    private let warped: Tensor  // [n, image]

    /// nil when there is nothing to do: strength 0, inputs that are no images, or images of fewer than 4 pixels to a side.
    init?(
        strength: Double, negatives: Bool, samples: Int, image: (channels: Int, height: Int, width: Int)?
    ) throws {
        guard strength > 0, let image, min(image.height, image.width) >= 4 else { return nil }
        self.strength = Float(strength)
        makesNegatives = negatives
        (channels, height, width) = image
        let count = channels * height * width
        maps = try Tensor([samples, 6])
        shares = try Tensor([samples])
        signs = try Tensor([samples])
        warped = try Tensor([samples, count])
    }

    /// Alters images in rows [n, image].
    func apply(_ random: inout Philox, _ images: Tensor, _ compute: Compute) {
        precondition(images.count == warped.count)
        let samples = warped.shape[0]
        for sample in 0..<samples {
            drawMap(&random, maps.pointer + 6 * sample)
            shares[sample] = min(1, max(0, strength * random.nextSymmetric()))
            signs[sample] = makesNegatives && random.nextUniform() < min(0.5, 0.3 * strength) ? -1 : 1
        }
        compute.parallel(samples) { range in
            compute.kernels.warp(
                images.pointer, warped.pointer, maps.pointer, channels, height, width, range.lowerBound, range.upperBound)
            compute.kernels.smooth(
                warped.pointer, images.pointer, shares.pointer, signs.pointer, channels, height, width,
                range.lowerBound, range.upperBound)
        }
    }

    /// Where the image's pixel (y, x) is seen: (m0 + m1 y + m2 x, m3 + m4 y + m5 x), about the centre.
    private func drawMap(_ random: inout Philox, _ map: UnsafeMutablePointer<Float>) {
        let angle = 0.25 * strength * random.nextSymmetric()
        let scale = exp(0.15 * strength * random.nextSymmetric())
        let shear = 0.15 * strength * random.nextSymmetric()
        let down = strength * Float(height) / 16 * random.nextSymmetric()
        let right = strength * Float(width) / 16 * random.nextSymmetric()
        let (centreRow, centreColumn) = (Float(height - 1) / 2, Float(width - 1) / 2)
        let (cosine, sine) = (cos(angle) * scale, sin(angle) * scale)
        // Of a square image, as which one of any shape is seen: columns are its rows times `stretch`.
        let (a, b, c, d) = (cosine + shear * sine, -sine + shear * cosine, sine, cosine)
        let stretch = centreColumn / centreRow
        map[0] = centreRow + down - (a + b) * centreRow
        map[1] = a
        map[2] = b / stretch
        map[3] = centreColumn + right - (c + d) * centreColumn
        map[4] = c * stretch
        map[5] = d
    }
}
