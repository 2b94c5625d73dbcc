import Numerics

/// A tensor's numbers in as few bits as pruning and sharing allow, the third stage of Deep Compression (Han, Mao and Dally, ICLR
/// 2016): the zeros between weights, and which of the shared values a weight is, by Huffman codes.
///
/// docs/compression.md has the bytes.
enum PackedTensor {
    private static let isSparse = 1
    private static let isShared = 2
    /// More distinct values are no sharing.
    private static let mostValues = 1 << 12
    /// Symbols for runs of zeros: of so many and then a weight, but for the last, which no weight follows.
    private static let gaps = 64
    private static let lengthBits = 4
    private static let countBits = 16

    /// That a tensor of so many numbers takes: its codes and values, and of each number all bits of it and the longest code.
    static func mostBytes(_ count: Int) -> Int {
        1 + gaps * lengthBits / 8 + countBits / 8 + mostValues * (32 + lengthBits) / 8 + count * (32 + HuffmanCode.longest + 7) / 8 + 1
    }

    // MARK: - Writing

    static func write(_ tensor: Tensor, to writer: inout BitWriter) {
        let zeros = (0..<tensor.count).count { tensor[$0].bitPattern == 0 }
        // A gap takes some two bits or more a weight.
        let sparse = zeros * 8 > tensor.count
        let values = distinctValues(tensor, includingZero: !sparse)
        writer.write((sparse ? isSparse : 0) | (values == nil ? 0 : isShared), bits: 8)
        var (gapCode, valueCode) = (HuffmanCode?.none, HuffmanCode?.none)
        let places = Dictionary(uniqueKeysWithValues: (values ?? []).enumerated().map { ($1, $0) })
        var (gapCounts, valueCounts) = ([Int](repeating: 0, count: gaps), [Int](repeating: 0, count: places.count))
        visit(tensor, sparse) { gapCounts[$0] += 1 } weight: { if let place = places[$0] { valueCounts[place] += 1 } }
        if sparse {
            let code = HuffmanCode(counts: gapCounts)
            writeLengths(code, to: &writer)
            gapCode = code
        }
        if let values {
            let code = HuffmanCode(counts: valueCounts)
            writer.write(values.count, bits: countBits)
            for value in values { writer.write(Int(value), bits: 32) }
            writeLengths(code, to: &writer)
            valueCode = code
        }
        visit(tensor, sparse) {
            gapCode?.write($0, to: &writer)
        } weight: {
            if let valueCode, let place = places[$0] {
                valueCode.write(place, to: &writer)
            } else {
                writer.write(Int($0), bits: 32)
            }
        }
        writer.align()
    }

    /// Tells, in the order of the file, the zeros before each weight and behind the last, and the bits of the weights.
    private static func visit(_ tensor: Tensor, _ sparse: Bool, gap: (Int) -> Void, weight: (UInt32) -> Void) {
        var zeros = 0
        for i in 0..<tensor.count {
            let bits = tensor[i].bitPattern
            if !sparse {
                weight(bits)
            } else if bits != 0 {
                gap(zeros)
                weight(bits)
                zeros = 0
            } else {
                zeros += 1
                guard zeros == gaps - 1 else { continue }
                gap(zeros)
                zeros = 0
            }
        }
        if zeros > 0 { gap(zeros) }
    }

    /// The bits of each number that there is, in the order of the numbers; nil for too many to be shared.
    private static func distinctValues(_ tensor: Tensor, includingZero: Bool) -> [UInt32]? {
        var values: Set<UInt32> = []
        for i in 0..<tensor.count where includingZero || tensor[i].bitPattern != 0 {
            values.insert(tensor[i].bitPattern)
            guard values.count <= mostValues else { return nil }
        }
        // A value's own bits, and its code's, must be worth it.
        guard !values.isEmpty, values.count * 3 <= tensor.count else { return nil }
        return values.sorted { (Float(bitPattern: $0), $0) < (Float(bitPattern: $1), $1) }
    }

    private static func writeLengths(_ code: HuffmanCode, to writer: inout BitWriter) {
        for length in code.lengths { writer.write(length, bits: lengthBits) }
    }

    // MARK: - Reading

    /// - Throws: `format` for bits that are no such tensor.
    static func read(_ tensor: Tensor, _ reader: inout BitReader) throws {
        let flags = try reader.read(bits: 8)
        guard flags & ~(isSparse | isShared) == 0 else { throw DaflError(.format, "packs weights in a way that is not known: \(flags)") }
        let gapCode = flags & isSparse == 0 ? nil : try readCode(gaps, &reader)
        var (values, valueCode) = ([Float](), HuffmanCode?.none)
        if flags & isShared != 0 {
            let count = try reader.read(bits: countBits)
            guard (1...mostValues).contains(count) else { throw DaflError(.format, "shares \(count) values, not 1 to \(mostValues)") }
            for _ in 0..<count { values.append(Float(bitPattern: UInt32(try reader.read(bits: 32)))) }
            valueCode = try readCode(count, &reader)
        }
        var i = 0
        while i < tensor.count {
            if let gapCode {
                let gap = try gapCode.read(&reader)
                guard gap <= tensor.count - i else { throw DaflError(.format, "has more zeros than its tensor") }
                for place in i..<i + gap { tensor[place] = 0 }
                i += gap
                if gap == gaps - 1 || i == tensor.count { continue }
            }
            tensor[i] = try valueCode.map { values[try $0.read(&reader)] }
                ?? Float(bitPattern: UInt32(try reader.read(bits: 32)))
            i += 1
        }
        reader.align()
        tensor.touch()
    }

    private static func readCode(_ symbols: Int, _ reader: inout BitReader) throws -> HuffmanCode {
        var lengths: [Int] = []
        for _ in 0..<symbols { lengths.append(try reader.read(bits: lengthBits)) }
        return try HuffmanCode(lengths: lengths)
    }
}
