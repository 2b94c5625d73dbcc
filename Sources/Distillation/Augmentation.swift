import Glibc
import Numerics

/// Moves, turns, scales and shears images a little, each in its own way.
///
/// The labels need not survive it: the teacher is asked again about the image as it is then. At strength 1 an image moves by
/// up to a sixteenth of its side, turns by up to 0.25 radians, is scaled by a factor between exp(-0.15) and exp(0.15), and sheared
/// by up to 0.15: each number evenly distributed, the factor on a logarithmic scale.
final class Augmentation {
    private let strength: Float
    private let channels: Int
    private let side: Int
    private let maps: Tensor  // [n, 6]
    private let plain: Tensor  // rows [n, image]
    private let warped: Tensor

    /// nil when there is nothing to do: strength 0, or inputs that are no images.
    init?(strength: Double, samples: Int, image: Shape) throws {
        guard strength > 0, let (channels, side) = image.asSquareImage else { return nil }
        self.strength = Float(strength)
        (self.channels, self.side) = (channels, side)
        maps = try Tensor([samples, 6])
        plain = try Tensor([samples, image.count])
        warped = try Tensor([samples, image.count])
    }

    func apply(_ random: inout Philox, _ images: Batch, _ compute: Compute) {
        for sample in 0..<images.samples { drawMap(&random, maps.pointer + 6 * sample) }
        images.store(rows: plain.pointer, compute)
        compute.parallel(images.samples) { range in
            compute.kernels.warp(
                plain.pointer, warped.pointer, maps.pointer, channels, side, side, range.lowerBound, range.upperBound)
        }
        images.load(rows: warped.pointer, compute)
    }

    /// Where the image's pixel (y, x) is seen: (m0 + m1 y + m2 x, m3 + m4 y + m5 x), about the centre.
    private func drawMap(_ random: inout Philox, _ map: UnsafeMutablePointer<Float>) {
        let angle = 0.25 * strength * random.nextSymmetric()
        let scale = exp(0.15 * strength * random.nextSymmetric())
        let shear = 0.15 * strength * random.nextSymmetric()
        let down = strength * Float(side) / 16 * random.nextSymmetric()
        let right = strength * Float(side) / 16 * random.nextSymmetric()
        let centre = Float(side - 1) / 2
        let (cosine, sine) = (cos(angle) * scale, sin(angle) * scale)
        map[1] = cosine + shear * sine
        map[2] = -sine + shear * cosine
        map[4] = sine
        map[5] = cosine
        map[0] = centre + down - (map[1] + map[2]) * centre
        map[3] = centre + right - (map[4] + map[5]) * centre
    }
}
