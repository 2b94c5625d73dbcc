import Glibc

/// The counter-based random number generator Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
/// SC 2011), the library's only source of randomness.
///
///     var random = Philox(seed: 7, stream: .noise)
///     let z = random.nextNormal()
///
/// A seed and a stream name one sequence; different streams of a seed are independent. The whole state is the seed, the
/// stream and how many numbers were drawn.
package struct Philox {
    /// What the numbers are for. Pinned: a changed number changes every result.
    package enum Stream: UInt64 {
        case ranks = 0
        case weights = 1
        case noise = 2
        case replay = 3
        case order = 4
        case check = 5
        case generatorWeights = 6
        case samples = 7
        case mimic = 8
        case differences = 9
        case examination = 10
        case dropout = 11
        case pictures = 12
    }

    private let key: (UInt32, UInt32)
    private let stream: UInt64
    private var counter: UInt64 = 0
    private var drawn: (UInt32, UInt32, UInt32, UInt32) = (0, 0, 0, 0)
    private var left = 0
    private var spareNormal: Float?

    /// - Parameters:
    ///   - substream: tells apart sequences of the same seed and stream, for example one for each restart.
    ///   - skipping: how many of the sequence's 32-bit numbers to pass over, a multiple of four.
    package init(seed: UInt64, stream: Stream, substream: UInt32 = 0, skipping: Int = 0) {
        precondition(skipping >= 0 && skipping % 4 == 0)
        counter = UInt64(skipping / 4)
        key = (UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed >> 32))
        self.stream = stream.rawValue | UInt64(substream) << 32
    }

    private var block: (UInt32, UInt32, UInt32, UInt32) {
        let (low, high) = (UInt32(truncatingIfNeeded: counter), UInt32(truncatingIfNeeded: counter >> 32))
        return Self.block(
            counter: (low, high, UInt32(truncatingIfNeeded: stream), UInt32(truncatingIfNeeded: stream >> 32)), key: key)
    }

    /// How far it has come: blocks drawn, numbers left of the last one, and the bits of a spare normal number above a 1, or 0.
    var place: (UInt64, UInt64, UInt64) {
        get { (counter, UInt64(left), spareNormal.map { UInt64($0.bitPattern) << 1 | 1 } ?? 0) }
        set {
            counter = newValue.0 &- 1
            drawn = block
            counter = newValue.0
            left = Int(newValue.1 % 4)
            spareNormal = newValue.2 & 1 == 0 ? nil : Float(bitPattern: UInt32(truncatingIfNeeded: newValue.2 >> 1))
        }
    }

    /// The block of four numbers at a counter: ten rounds of multiplication and exclusive or.
    package static func block(
        counter: (UInt32, UInt32, UInt32, UInt32), key: (UInt32, UInt32)
    ) -> (UInt32, UInt32, UInt32, UInt32) {
        var (c, k) = (counter, key)
        for _ in 0..<10 {
            let a = c.0.multipliedFullWidth(by: 0xD251_1F53)
            let b = c.2.multipliedFullWidth(by: 0xCD9E_8D57)
            c = (b.high ^ c.1 ^ k.0, b.low, a.high ^ c.3 ^ k.1, a.low)
            k = (k.0 &+ 0x9E37_79B9, k.1 &+ 0xBB67_AE85)
        }
        return c
    }

    /// Uniform over all 32-bit numbers.
    package mutating func next() -> UInt32 {
        if left == 0 {
            drawn = block
            counter &+= 1
            left = 4
        }
        left -= 1
        switch left {
        case 3: return drawn.0
        case 2: return drawn.1
        case 1: return drawn.2
        default: return drawn.3
        }
    }

    /// Uniform over all 64-bit numbers: of another sequence.
    package mutating func nextSeed() -> UInt64 { UInt64(next()) | UInt64(next()) << 32 }

    /// Uniform in [0, 1), a multiple of 2^-24.
    package mutating func nextUniform() -> Float {
        Float(next() >> 8) * 0x1p-24
    }

    /// Uniform in [-1, 1).
    package mutating func nextSymmetric() -> Float {
        2 * nextUniform() - 1
    }

    /// Uniform in 0..<bound, for a bound of at least 1 that fits 32 bits (Lemire's multiplication; its bias is below
    /// bound / 2^32).
    package mutating func next(below bound: Int) -> Int {
        Int(UInt32(truncatingIfNeeded: bound).multipliedFullWidth(by: next()).high)
    }

    /// Standard normal, by Box and Muller's transform.
    package mutating func nextNormal() -> Float {
        if let spare = spareNormal {
            spareNormal = nil
            return spare
        }
        let radius = (-2 * logf(1 - nextUniform())).squareRoot()
        let angle = 2 * Float.pi * nextUniform()
        spareNormal = radius * sinf(angle)
        return radius * cosf(angle)
    }

    /// Fills a batch with standard normal numbers, sample by sample.
    package mutating func fillNormal(_ batch: Batch) {
        for sample in 0..<batch.samples {
            for element in 0..<batch.elements { batch[sample, element] = nextNormal() }
        }
    }

    /// Fills a batch with 1 and -1, each as likely, sample by sample.
    package mutating func fillSigns(_ batch: Batch) {
        var bits: UInt32 = 0
        for sample in 0..<batch.samples {
            for element in 0..<batch.elements {
                bits = element % 32 == 0 ? next() : bits >> 1
                batch[sample, element] = bits & 1 == 0 ? 1 : -1
            }
        }
    }

    /// Writes 0..<count in random order (Fisher and Yates).
    package mutating func permute(_ order: Indices) {
        for i in 0..<order.count { order[i] = i }
        for i in stride(from: order.count - 1, to: 0, by: -1) {
            let other = next(below: i + 1)
            (order[i], order[other]) = (order[other], order[i])
        }
    }
}
