import Numerics

/// Writes bits one after the other, the highest of a byte first.
struct BitWriter {
    private(set) var bytes: [UInt8] = []
    private var free = 0  // of the last byte

    mutating func write(_ value: Int, bits: Int) {
        for place in (0..<bits).reversed() {
            if free == 0 {
                bytes.append(0)
                free = 8
            }
            free -= 1
            bytes[bytes.count - 1] |= UInt8(value >> place & 1) << UInt8(free)
        }
    }

    /// Whole bytes from here on.
    mutating func align() { free = 0 }
}

/// Reads what `BitWriter` wrote.
struct BitReader {
    private let bytes: [UInt8]
    private var place = 0  // in bits

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var bytesLeft: Int { bytes.count - (place + 7) / 8 }

    /// - Throws: `format` when there are no more.
    mutating func read(bits: Int) throws -> Int {
        guard bits <= 8 * bytes.count - place else { throw DaflError(.format, "ends within its weights") }
        var value = 0
        for _ in 0..<bits {
            value = value << 1 | Int(bytes[place / 8] >> UInt8(7 - place % 8) & 1)
            place += 1
        }
        return value
    }

    mutating func align() { place = (place + 7) / 8 * 8 }
}
