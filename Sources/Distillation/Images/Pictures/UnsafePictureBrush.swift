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
        case .scenes: drawScene(channels: channels, picture)
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

    /// A ground, of which some have another one below a horizon, and on it things: many anywhere, or a few about the centre that
    /// are mostly of one surface, as the parts of one thing are.
    private mutating func drawScene(channels: Int, _ picture: UnsafeMutablePointer<Float>) {
        // What was there before would show in the last digits of what is laid over it.
        picture.update(repeating: 0, count: channels * area)
        mask.update(repeating: 1, count: area)
        for i in 0..<Self.lattice * Self.lattice { grid[i] = random.nextUniform() - 0.5 }
        drawTexture(texture, 0..<area)
        paint(0..<area, texture, surface(), channels: channels, picture)
        if random.nextUniform() < 0.4 {
            drawHorizon()
            drawTexture(texture, 0..<area)
            paint(0..<area, texture, surface(), channels: channels, picture)
        }
        let isOneThing = random.nextUniform() < 0.5, common = surface()
        if isOneThing { drawTexture(map, 0..<area) }
        let share = random.nextUniform()
        for _ in 0...Int(15 * share * share) {
            let part = coverBlob(least: 0.08, most: 0.6, power: 1.5, spread: isOneThing ? 0.5 : 1)
            if isOneThing, random.nextUniform() < 0.6 {
                var near = common
                near.brightness += 0.12 * random.nextNormal()
                paint(part, map, near, channels: channels, picture)
            } else {
                drawTexture(texture, part)
                paint(part, texture, surface(), channels: channels, picture)
            }
        }
        finish(picture, channels: channels)
    }

    /// What something is made of: its colour, by brightness, how blue or yellow, how green or red, of which things differ most in
    /// the first and least in the last; how much its texture shows; and how it is lit from one side.
    private struct Surface {
        var brightness: Float
        var yellow: Float
        var red: Float
        var contrast: Float
        var tint: Float
        var down: Float
        var right: Float
    }

    private mutating func surface() -> Surface {
        let saturation = 1.5 * random.nextUniform(), contrast = random.nextUniform()
        let light = 0.15 * random.nextNormal(), angle = uniform(0, 2 * .pi)
        return Surface(
            brightness: random.nextUniform(), yellow: 0.22 * saturation * random.nextNormal(),
            red: 0.1 * saturation * random.nextNormal(), contrast: 0.35 * contrast * contrast, tint: 0.3 * random.nextUniform(),
            down: quotient(2 * light * sinf(angle), Float(height)), right: quotient(2 * light * cosf(angle), Float(width)))
    }

    /// Of three channels the first is taken for red and the last for blue.
    private mutating func tone(_ surface: Surface, channel: Int, of channels: Int) -> Float {
        guard channels == 3 else { return surface.brightness + 0.5 * surface.yellow * random.nextNormal() }
        switch channel {
        case 0: return surface.brightness + surface.yellow + surface.red
        case 1: return surface.brightness - surface.red
        default: return surface.brightness - 1.1 * surface.yellow + 0.5 * surface.red
        }
    }

    /// A surface where there is a mask.
    private mutating func paint(
        _ part: Range<Int>, _ texture: UnsafeMutablePointer<Float>, _ surface: Surface, channels: Int,
        _ picture: UnsafeMutablePointer<Float>
    ) {
        for channel in 0..<channels {
            let plane = picture + channel * area, tone = tone(surface, channel: channel, of: channels)
            let contrast = surface.contrast * (1 + surface.tint * random.nextNormal())
            for y in part.lowerBound / width..<part.upperBound / width {
                let light = tone + surface.down * (Float(y) - Float(height) / 2) - surface.right * Float(width) / 2
                for x in 0..<width {
                    let i = y * width + x
                    plane[i] += mask[i] * (light + surface.right * Float(x) + contrast * texture[i] - plane[i])
                }
            }
        }
    }

    /// Noise with mean 0 and deviation 1 whose power falls with the frequency, as that of photographs does, more or less steeply;
    /// stretched along one direction, as hair and grass and water are; and at times stripes. In a part of a plane, which is whole
    /// rows. Each octave is the same lattice from another place on.
    private mutating func drawTexture(_ whole: UnsafeMutablePointer<Float>, _ part: Range<Int>) {
        let plane = whole + part.lowerBound, height = part.count / width
        guard height > 0 else { return }
        plane.update(repeating: 0, count: part.count)
        let slope = uniform(0.5, 2), angle = uniform(0, .pi), stretch = expf(0.6 * random.nextNormal())
        let (cosine, sine) = (cosf(angle), sinf(angle)), longest = Float(max(self.height, width))
        var cells: Float = 2
        while cells <= min(longest, Float(Self.finest)) {
            let scale = cells / longest
            points[0] = uniform(0, Float(Self.lattice))
            points[1] = scale * cosine * stretch
            points[2] = scale * sine * stretch
            points[3] = uniform(0, Float(Self.lattice))
            points[4] = -scale * sine / stretch
            points[5] = scale * cosine / stretch
            kernels.weave(grid, Self.lattice, points, powf(cells, 1 - slope), plane, height, width)
            cells *= 2
        }
        standardise(plane, part.count)
        guard random.nextUniform() < 0.2 else { return }
        let turns = uniform(1, 13) * .pi / longest, direction = uniform(0, .pi), phase = uniform(0, 2 * .pi)
        let (right, down) = (turns * cosf(direction), turns * sinf(direction))
        let sharpness = expf(random.nextNormal()), strength = random.nextUniform()
        for y in 0..<height {
            for x in 0..<width {
                plane[y * width + x] += strength * tanhf(sharpness * sinf(right * Float(x) + down * Float(y) + phase))
            }
        }
    }

    /// Cells along a side of the lattice that textures repeat.
    private static let lattice = 32

    private func standardise(_ plane: UnsafeMutablePointer<Float>, _ count: Int) {
        var (sum, squares): (Float, Float) = (0, 0)
        for i in 0..<count { (sum, squares) = (sum + plane[i], squares + plane[i] * plane[i]) }
        let mean = sum / Float(count), scale = 1 / (max(0, squares / Float(count) - mean * mean).squareRoot() + 0.05)
        for i in 0..<count { plane[i] = (plane[i] - mean) * scale }
    }

    /// From `least` to `most` of the shorter side, where p(r) is as r^-(power + 1).
    private mutating func radius(least: Float, most: Float, power: Float) -> Float {
        let share = 1 - random.nextUniform() * (1 - powf(least / most, power))
        return max(1, Float(min(height, width)) * least * powf(share, -1 / power))
    }

    /// Writes to `mask` what is between a diamond, an ellipse and a box, with bumps in its outline in many cases, and at times
    /// translucent. Sizes and place are those of `coverShape`, and so is what it returns.
    private mutating func coverBlob(least: Float, most: Float, power: Float, spread: Float) -> Range<Int> {
        let radius = radius(least: least, most: most, power: power)
        let other = max(0.8, radius * uniform(0.25, 1))
        let angle = uniform(0, .pi), margin = (1 - spread) / 2
        let x = uniform(margin * Float(width), (1 - margin) * Float(width))
        let y = uniform(margin * Float(height), (1 - margin) * Float(height))
        let (cosine, sine) = (cosf(angle), sinf(angle))
        let exponent = 1.5 * expf(uniform(-0.4, 1.8)), sharpness = uniform(0.5, 1.75) / powf(unit, random.nextUniform())
        let isBumpy = random.nextUniform() < 0.6
        var bumps: (Float, Float, Float, Float, Float, Float) = (0, 0, 0, 0, 0, 0)
        if isBumpy {
            bumps = (
                0.15 * random.nextNormal(), 0.15 * random.nextNormal(), 0.15 * random.nextNormal(), uniform(0, 2 * .pi),
                uniform(0, 2 * .pi), uniform(0, 2 * .pi)
            )
        }
        let opacity = random.nextUniform() < 0.85 ? 1 : random.nextUniform()
        let reach = 2.2 * radius + 2 / sharpness
        let top = Int(max(0, y - reach)), bottom = Int(min(Float(height), y + reach + 1))
        let left = max(0, Int(x - reach)), right = min(width, max(left, Int(x + reach + 1)))
        let (perRadius, perOther) = (quotient(1, radius), quotient(1, other))
        mask.advanced(by: top * width).update(repeating: 0, count: max(0, bottom - top) * width)
        for row in top..<max(top, bottom) {
            for column in left..<max(left, right) {
                let (across, down) = (Float(column) - x, Float(row) - y)
                let u = (cosine * across + sine * down) * perRadius, v = (cosine * down - sine * across) * perOther
                // Far outside in any shape.
                guard abs(u) < 2.2 + 2 / (sharpness * radius), abs(v) < 2.2 + 2 / (sharpness * other) else { continue }
                var far = powf(powf(abs(u), exponent) + powf(abs(v), exponent), 1 / exponent)
                if isBumpy {
                    let turn = atan2f(v, u)
                    far *= 1 + bumps.0 * sinf(2 * turn + bumps.3) + bumps.1 * sinf(3 * turn + bumps.4)
                        + bumps.2 * sinf(5 * turn + bumps.5)
                }
                mask[row * width + column] = opacity * min(1, max(0, (1 - far) * other * sharpness + 0.5))
            }
        }
        return top * width..<max(top, bottom) * width
    }

    /// The mask of what lies below a line, tilted a little.
    private mutating func drawHorizon() {
        let level = random.nextUniform() * Float(height), tilt = 0.1 * random.nextNormal() * Float(height) / Float(width)
        let sharpness = expf(random.nextNormal() - 0.5) / unit
        for y in 0..<height {
            for x in 0..<width {
                let far = (Float(y) - level + tilt * (Float(x) - Float(width) / 2)) * sharpness + 0.5
                mask[y * width + x] = min(1, max(0, far))
            }
        }
    }

    /// Makes many as soft as photographs are, and all as bright and as rich in contrast.
    private mutating func finish(_ picture: UnsafeMutablePointer<Float>, channels: Int) {
        var softness = random.nextUniform() < 0.6 ? random.nextUniform() : 0
        var one: Float = 1
        for channel in 0..<channels where softness > 0 {
            let plane = picture + channel * area
            kernels.smooth(plane, mask, &softness, &one, 1, height, width, 0, 1)
            plane.update(from: mask, count: area)
        }
        var (sum, squares): (Float, Float) = (0, 0)
        let count = channels * area
        for i in 0..<count { (sum, squares) = (sum + picture[i], squares + picture[i] * picture[i]) }
        let mean = sum / Float(count)
        let deviation = max(0, squares / Float(count) - mean * mean).squareRoot()
        let wanted = min(0.4, max(0.05, 0.21 + 0.06 * random.nextNormal()))
        let middle = min(0.9, max(0.1, 0.47 + 0.13 * random.nextNormal()))
        let keeps = 0.3 * random.nextUniform(), gain = keeps + (1 - keeps) * wanted / (deviation + 0.02)
        // Even noise of the deviation that normal noise would have.
        let grain = 0.06 * 1.73 * powf(random.nextUniform(), 3)
        for i in 0..<count {
            picture[i] = min(1, max(0, middle + gain * (picture[i] - mean) + grain * random.nextSymmetric()))
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
        let radius = radius(least: least, most: most, power: power), other = max(1, radius * uniform(0.4, 1))
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
