/// The 64-bit checksum XXH64 with seed 0 (Collet, "xxHash fast digest algorithm", version 0.1.1), of bytes that come in pieces. It
/// finds damage by chance, not by intent.
package struct Checksum {
    private static let primes: (UInt64, UInt64, UInt64, UInt64, UInt64) = (
        0x9E37_79B1_85EB_CA87, 0xC2B2_AE3D_27D4_EB4F, 0x1656_67B1_9E37_79F9, 0x85EB_CA77_C2B2_AE63, 0x27D4_EB2F_1656_67C5
    )
    private static let stripe = 32
    private var lanes: (UInt64, UInt64, UInt64, UInt64) = (primes.0 &+ primes.1, primes.1, 0, 0 &- primes.0)
    private var length: UInt64 = 0
    /// Bytes that make no whole stripe yet.
    private var rest: [UInt8] = []

    package init() { rest.reserveCapacity(Self.stripe) }

    package mutating func add(_ bytes: UnsafeRawBufferPointer) {
        length &+= UInt64(bytes.count)
        var start = 0
        if !rest.isEmpty {
            start = min(Self.stripe - rest.count, bytes.count)
            rest.append(contentsOf: bytes[..<start])
            guard rest.count == Self.stripe else { return }
            var whole = rest
            rest.removeAll(keepingCapacity: true)
            whole.withUnsafeMutableBytes { addStripes(UnsafeRawBufferPointer($0)) }
        }
        let stripes = (bytes.count - start) / Self.stripe * Self.stripe
        addStripes(UnsafeRawBufferPointer(rebasing: bytes[start..<start + stripes]))
        rest.append(contentsOf: bytes[(start + stripes)...])
    }

    private mutating func addStripes(_ bytes: UnsafeRawBufferPointer) {
        func word(_ place: Int) -> UInt64 { UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self)) }
        var (a, b, c, d) = lanes
        for place in stride(from: 0, to: bytes.count, by: Self.stripe) {
            a = Self.round(a, word(place))
            b = Self.round(b, word(place + 8))
            c = Self.round(c, word(place + 16))
            d = Self.round(d, word(place + 24))
        }
        lanes = (a, b, c, d)
    }

    private static func round(_ lane: UInt64, _ word: UInt64) -> UInt64 {
        rotated(lane &+ word &* primes.1, 31) &* primes.0
    }

    private static func rotated(_ number: UInt64, _ bits: Int) -> UInt64 { number << bits | number >> (64 - bits) }

    package var value: UInt64 {
        let primes = Self.primes
        var hash = primes.4
        if length >= UInt64(Self.stripe) {
            hash = Self.rotated(lanes.0, 1) &+ Self.rotated(lanes.1, 7) &+ Self.rotated(lanes.2, 12) &+ Self.rotated(lanes.3, 18)
            for lane in [lanes.0, lanes.1, lanes.2, lanes.3] {
                hash = (hash ^ Self.round(0, lane)) &* primes.0 &+ primes.3
            }
        }
        hash &+= length
        var place = 0
        func word(_ bytes: Int) -> UInt64 { (0..<bytes).reduce(0) { $0 | UInt64(rest[place + $1]) << (8 * $1) } }
        while rest.count - place >= 8 {
            hash = Self.rotated(hash ^ Self.round(0, word(8)), 27) &* primes.0 &+ primes.3
            place += 8
        }
        if rest.count - place >= 4 {
            hash = Self.rotated(hash ^ word(4) &* primes.0, 23) &* primes.1 &+ primes.2
            place += 4
        }
        while place < rest.count {
            hash = Self.rotated(hash ^ word(1) &* primes.4, 11) &* primes.0
            place += 1
        }
        hash = (hash ^ hash >> 33) &* primes.1
        hash = (hash ^ hash >> 29) &* primes.2
        return hash ^ hash >> 32
    }
}

extension Checksum {
    package mutating func add(_ tensor: Tensor) {
        add(UnsafeRawBufferPointer(UnsafeBufferPointer(start: tensor.pointer, count: tensor.count)))
    }
}
