import Glibc
import Numerics

/// Pictures that nobody learned to make: pen strokes, shapes and noise, and with several channels dead leaves (Lee, Mumford and
/// Huang, "Occlusion models for natural images", IJCV 2001), of which networks learn filters nearly as from photographs (Baradad
/// et al., "Learning to see by looking at noise", NeurIPS 2021).
///
///     let pictures = try ProceduralPictures((1, 28, 28), standardised: nil, compute)
///     pictures.draw(seed: 7, first: 0, count: 64, rows: rows)  // the first of those of seed 7
///
/// A picture depends on the seed and its number alone, so threads share the work and any of them can be drawn again. One of
/// 32 x 32 takes some ten microseconds, and a scene some hundreds.
///
/// Numbers are standardised: over many pictures of a family they have about mean 0 and deviation 1. Where the range of the
/// teacher's inputs is known, pictures fill it from end to end instead.
final class ProceduralPictures {
    enum Family: Int, CaseIterable {
        /// Curves of one pen on an empty ground.
        case strokes
        /// Filled ellipses and rectangles on an empty ground.
        case shapes
        /// Of several sizes, pushed towards two values.
        case noise
        /// Shapes that hide one another.
        case leaves
        /// Noise in each channel by itself.
        case channels
        /// Shapes that hide one another, each with a texture and shaded, on a ground or two, as bright and as rich in contrast
        /// as photographs.
        case scenes
    }

    /// From numbers p from 0 to 1 to (p - mean) factor.
    private struct Units {
        var mean: Float
        var factor: Float

        /// Of what lies on an empty ground, those of written digits (0.13 and 0.31 for MNIST): whoever has standardised such
        /// images has put the ground, which is most of them, about there.
        static let onEmptyGround = Units(mean: 0.13, factor: 1 / 0.31)
    }

    private let image: (channels: Int, height: Int, width: Int)
    private let shares: [Float]
    private var units: [Units]
    private let compute: Compute

    /// - Parameters:
    ///   - standardised: what the ends of the inputs' range are in standardised units, where it is known.
    ///   - ofScenes: whether pictures of several channels are mostly scenes.
    init(
        _ image: (channels: Int, height: Int, width: Int), standardised range: ClosedRange<Float>?, ofScenes: Bool = false,
        _ compute: Compute
    ) throws {
        self.image = image
        self.compute = compute
        // Of the families in their order. What fills a picture of one channel would crowd out the strokes: teachers of digits
        // are sure of it, and of what it shows wrong.
        shares = image.channels == 1
            ? [0.9, 0.1, 0, 0, 0, 0] : ofScenes ? [0, 0, 0.05, 0.05, 0, 0.9] : [0.1, 0.1, 0.2, 0.5, 0.1, 0]
        try compute.reserveScratch(UnsafePictureBrush.scratch(height: image.height, width: image.width))
        units = [Units](repeating: Units(mean: 0, factor: 1), count: Family.allCases.count)
        if let range {
            let width = range.upperBound - range.lowerBound
            for i in units.indices { units[i] = Units(mean: -range.lowerBound / width, factor: width) }
        } else {
            for family in Family.allCases where shares[family.rawValue] > 0 {
                // In small pictures lines leave less of it.
                let isOnEmptyGround = image.channels == 1 && min(image.height, image.width) >= 16
                    && (family == .strokes || family == .shapes)
                units[family.rawValue] = isOnEmptyGround ? .onEmptyGround : try measure(family)
            }
        }
    }

    /// Those that give 64 pictures of a family mean 0 and deviation 1.
    private func measure(_ family: Family) throws -> Units {
        let rows = try Tensor([64, image.channels * image.height * image.width])
        draw(seed: 0, count: 64, rows: rows.pointer, number: { $0 }) { _ in family }
        var (sum, squares) = (0.0, 0.0)
        for i in 0..<rows.count {
            sum += Double(rows[i])
            squares += Double(rows[i]) * Double(rows[i])
        }
        let mean = sum / Double(rows.count)
        return Units(mean: Float(mean), factor: Float(1 / (squares / Double(rows.count) - mean * mean).squareRoot()))
    }

    /// Writes `count` pictures of a seed, from number `first` on, to rows [count, image].
    func draw(seed: UInt64, first: Int, count: Int, rows: UnsafeMutablePointer<Float>) {
        draw(seed: seed, count: count, rows: rows, number: { first + $0 }, family)
    }

    /// Writes the pictures of a seed with the numbers `first + picks[i]` to rows [picks, image].
    func draw(seed: UInt64, first: Int, picks: Indices, rows: UnsafeMutablePointer<Float>) {
        draw(seed: seed, count: picks.count, rows: rows, number: { first + picks[$0] }, family)
    }

    /// One of those that are drawn, as often as its share has it.
    private func family(_ random: inout Philox) -> Family {
        var left = random.nextUniform()
        for family in Family.allCases {
            left -= shares[family.rawValue]
            if left < 0 { return family }
        }
        return .strokes
    }

    private func draw(
        seed: UInt64, count: Int, rows: UnsafeMutablePointer<Float>, number: (Int) -> Int, _ family: (inout Philox) -> Family
    ) {
        let elements = image.channels * image.height * image.width
        compute.parallelWithIndex(count) { share, range in
            for i in range {
                // A picture's own numbers begin 2^24 after those of the one before, which is more than any needs.
                var random = Philox(seed: seed, stream: .pictures, skipping: number(i) << 24)
                let family = family(&random), picture = rows + i * elements
                var brush = UnsafePictureBrush(
                    random, compute.kernels, height: image.height, width: image.width, scratch: compute.scratch(of: share))
                brush.draw(family, channels: image.channels, picture)
                let units = units[family.rawValue]
                for j in 0..<elements { picture[j] = (picture[j] - units.mean) * units.factor }
            }
        }
    }
}
