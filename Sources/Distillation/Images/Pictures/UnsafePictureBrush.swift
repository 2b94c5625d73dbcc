import Glibc
import LaneKernels
import Numerics

/// Draws planes [height, width] of numbers from 0 to 1, each from random numbers of its own. Lengths go with the shorter side:
/// a picture of 224 pixels is one of 32 seen closer.
struct UnsafePictureBrush {
    var random: Philox
    private let kernels: Kernels
    private let height: Int
    private let width: Int
    /// [height, width] each: the drawer's own plane, what fills shapes, and where they are.
    private let map: UnsafeMutablePointer<Float>
    private let texture: UnsafeMutablePointer<Float>
    private let mask: UnsafeMutablePointer<Float>
    private let grid: UnsafeMutablePointer<Float>  // at most [finest, finest]
    private let points: UnsafeMutablePointer<Float>  // [segments + 1, 2]

    private static let segments = 12
    /// Cells of noise along a side.
    private static let finest = Int(LANE_CELLS)

    /// Floats of scratch that a brush needs.
    static func scratch(height: Int, width: Int) -> Int {
        3 * height * width + finest * finest + 2 * (segments + 1)
    }

    init(_ random: Philox, _ kernels: Kernels, height: Int, width: Int, scratch: UnsafeMutablePointer<Float>) {
        (self.random, self.kernels, self.height, self.width) = (random, kernels, height, width)
        let area = height * width
        (map, texture, mask, grid) = (scratch, scratch + area, scratch + 2 * area, scratch + 3 * area)
        points = grid + Self.finest * Self.finest
    }

    private var area: Int { height * width }
    /// The unit of lengths, in pixels; not so small that nothing is left of a line.
    private var unit: Float { max(0.5, Float(min(height, width)) / 32) }

    private mutating func uniform(_ low: Float, _ high: Float) -> Float { low + (high - low) * random.nextUniform() }

    /// Of an edge, per pixel: it is drawn as softly as lengths go, or sharper where they go far.
    private mutating func sharpness() -> Float { uniform(1.5, 4) / powf(max(1, unit), random.nextUniform()) }

    /// A picture [channels, height, width] of a family.
    mutating func draw(_ family: ProceduralPictures.Family, channels: Int, _ picture: UnsafeMutablePointer<Float>) {
        switch family {
        case .strokes, .shapes, .noise:
            guard channels > 1 else { return drawMap(family, picture) }
            drawMap(family, map)
            colour(map, channels: channels, saturation: random.nextUniform(), picture)
        case .leaves: drawLeaves(channels: channels, picture)
        case .channels: for channel in 0..<channels { drawMap(.noise, picture + channel * area) }
        }
    }

    private mutating func drawMap(_ family: ProceduralPictures.Family, _ plane: UnsafeMutablePointer<Float>) {
        switch family {
        case .strokes: drawStrokes(plane)
        case .shapes: drawShapes(plane)
        default:
            drawNoise(plane)
            let pivot = plane[random.next(below: area)]  // a quantile, any as likely
            kernels.threshold(plane, pivot, expf(uniform(1, 4.5)), area)
        }
    }

    /// One to three Bezier curves of one pen on an empty ground, of which some go on where the one before ends.
    private mutating func drawStrokes(_ plane: UnsafeMutablePointer<Float>) {
        plane.update(repeating: 1e9, count: area)
        let half = unit * uniform(0.7, 2), sharpness = sharpness(), spread = uniform(0.35, 0.85)
        var end: (x: Float, y: Float)?
        for _ in 0...random.next(below: 3) {
            let isContinued = random.nextUniform() < 0.6
            var start = place(spread)
            if isContinued, let end { start = end }
            let (a, b, c) = (place(spread), place(spread), place(spread))
            for i in 0...Self.segments {
                let t = Float(i) / Float(Self.segments), s = 1 - t
                let (w0, w1, w2, w3) = (s * s * s, 3 * s * s * t, 3 * s * t * t, t * t * t)
                points[2 * i] = w0 * start.x + w1 * a.x + w2 * b.x + w3 * c.x
                points[2 * i + 1] = w0 * start.y + w1 * a.y + w2 * b.y + w3 * c.y
            }
            kernels.approach(plane, points, Self.segments + 1, half + 3 / sharpness, height, width)
            end = c
        }
        kernels.thicken(plane, half, sharpness, area)
    }

    /// Within a share of the picture about its centre.
    private mutating func place(_ spread: Float) -> (x: Float, y: Float) {
        let x = (0.5 + spread * uniform(-0.5, 0.5)) * Float(width) - 0.5
        return (x, (0.5 + spread * uniform(-0.5, 0.5)) * Float(height) - 0.5)
    }

    /// Noise of several sizes, from two cells along the longer side to its pixels, stretched from 0 to 1.
    private mutating func drawNoise(_ plane: UnsafeMutablePointer<Float>) {
        plane.update(repeating: 0, count: area)
        let longest = max(height, width)
        var cells = 2
        while true {
            let (rows, columns) = (max(1, cells * height / longest), max(1, cells * width / longest))
            for i in 0..<rows * columns { grid[i] = random.nextUniform() }
            kernels.enlarge(grid, rows, columns, expf(1.5 * random.nextNormal()), plane, height, width)
            guard cells < min(longest, Self.finest) else { break }
            cells = min(2 * cells, longest, Self.finest)
        }
        var (low, high) = (plane[0], plane[0])
        for i in 0..<area { (low, high) = (min(low, plane[i]), max(high, plane[i])) }
        let scale = 1 / max(high - low, 1e-6)
        for i in 0..<area { plane[i] = (plane[i] - low) * scale }
    }

    /// One to four ellipses and rectangles on an empty ground, filled evenly or with noise.
    private mutating func drawShapes(_ plane: UnsafeMutablePointer<Float>) {
        drawNoise(texture)
        plane.update(repeating: 0, count: area)
        for _ in 0...random.next(below: 4) {
            let part = coverShape(least: 0.06, most: 0.4, power: 1)
            let low = random.nextUniform()
            lay(plane, part, low, (1 - low) * random.nextUniform())
        }
    }

    /// Dead leaves: ellipses and rectangles that hide one another, few large ones and many small, whose number of a size falls
    /// with its cube, as things seen at any distance do.
    private mutating func drawLeaves(channels: Int, _ picture: UnsafeMutablePointer<Float>) {
        drawNoise(texture)
        let saturation = random.nextUniform()
        colour(texture, channels: channels, saturation: saturation, picture)
        for _ in 0..<4 + random.next(below: 16) {
            let part = coverShape(least: 0.06, most: 0.6, power: 2)
            let contrast = random.nextUniform() * random.nextUniform()
            let (from, to) = (random.nextUniform(), random.nextUniform())
            for channel in 0..<channels {
                let low = tone(from, saturation), high = tone(to, saturation)
                lay(picture + channel * area, part, low, contrast * (high - low))
            }
        }
    }

    /// Fills what the mask covers in a part of a plane with `low` and up to `span` more, as the texture goes.
    private func lay(_ plane: UnsafeMutablePointer<Float>, _ part: Range<Int>, _ low: Float, _ span: Float) {
        let start = part.lowerBound
        kernels.lay(plane + start, mask + start, texture + start, low, span, part.count)
    }

    /// Writes a shape to `mask`, with radii from `least` to `most` of the shorter side, where p(r) is as r^-(power + 1). Returns
    /// the pixels of the rows that it reaches, which alone are written.
    private mutating func coverShape(least: Float, most: Float, power: Float) -> Range<Int> {
        let side = Float(min(height, width))
        let share = 1 - random.nextUniform() * (1 - powf(least / most, power))
        let radius = max(1, side * least * powf(share, -1 / power)), other = max(1, radius * uniform(0.4, 1))
        let angle = uniform(0, .pi), (x, y) = (uniform(0, Float(width)), uniform(0, Float(height)))
        let (cosine, sine) = (cosf(angle), sinf(angle))
        let isBox = random.nextUniform() < 0.4, sharpness = sharpness()
        // To a box's corners and the end of its soft edge, which is as wide along the shape as its coordinates are stretched.
        let reach = (isBox ? 1.42 : 1) * radius * (1 + 3 / (sharpness * other))
        let top = Int(max(0, y - reach)), bottom = Int(min(Float(height), y + reach + 1))
        points[0] = quotient(-cosine * x - sine * (y - Float(top)), radius)
        points[1] = quotient(cosine, radius)
        points[2] = quotient(sine, radius)
        points[3] = quotient(sine * x - cosine * (y - Float(top)), other)
        points[4] = quotient(-sine, other)
        points[5] = quotient(cosine, other)
        kernels.cover(mask + top * width, points, isBox ? 1 : 0, other, sharpness, bottom - top, width)
        return top * width..<bottom * width
    }

    /// From a plane to channels that go from one colour to another with it.
    private mutating func colour(
        _ plane: UnsafeMutablePointer<Float>, channels: Int, saturation: Float, _ picture: UnsafeMutablePointer<Float>
    ) {
        let (from, to) = (random.nextUniform(), random.nextUniform())
        for channel in 0..<channels {
            let low = tone(from, saturation), span = tone(to, saturation) - low
            let colours = picture + channel * area
            for i in 0..<area { colours[i] = low + span * plane[i] }
        }
    }

    /// A channel of a colour: as bright as the others, the more apart the more colourful.
    private mutating func tone(_ brightness: Float, _ saturation: Float) -> Float {
        min(1, max(0, brightness + saturation * uniform(-0.5, 0.5)))
    }
}
