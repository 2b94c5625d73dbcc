import Numerics

/// A canonical Huffman code: each symbol's number of bits says all of it. Of symbols with as many bits, the smaller one has the
/// smaller code; codes are written from their highest bit.
struct HuffmanCode {
    /// 0 for a symbol that does not occur.
    let lengths: [Int]
    /// By symbol.
    private let codes: [Int]
    /// For each length: the first code of it, how many there are, and the place of the first in `symbols`.
    private let rows: [(first: Int, count: Int, place: Int)]
    /// By their codes.
    private let symbols: [Int]

    static let longest = 15

    /// The shortest code for symbols that occur so often, with no code longer than `longest`: should there be one, the counts are
    /// made more alike.
    init(counts: [Int]) {
        var counts = counts
        while true {
            let lengths = Self.lengths(counts)
            if lengths.allSatisfy({ $0 <= Self.longest }) {
                self.init(whole: lengths)
                return
            }
            counts = counts.map { $0 == 0 ? 0 : $0 / 2 + 1 }
        }
    }

    /// - Throws: `format` for lengths that make no code.
    init(lengths: [Int]) throws {
        let used = lengths.filter { $0 > 0 }
        // In units of the longest code: a whole code leaves nothing free. One symbol alone has one bit.
        let taken = used.reduce(0) { $0 + 1 << (Self.longest - $1) }
        guard used.allSatisfy({ $0 <= Self.longest }), taken == 1 << Self.longest || used.isEmpty || used == [1] else {
            throw DaflError(.format, "has a Huffman code that is none")
        }
        self.init(whole: lengths)
    }

    private init(whole lengths: [Int]) {
        self.lengths = lengths
        symbols = lengths.indices.filter { lengths[$0] > 0 }.sorted { (lengths[$0], $0) < (lengths[$1], $1) }
        var (codes, rows) = ([Int](repeating: 0, count: lengths.count), [(first: Int, count: Int, place: Int)]())
        var (code, place) = (0, 0)
        for length in 0...Self.longest {
            let count = symbols[place...].prefix { lengths[$0] == length }.count
            rows.append((code, count, place))
            for i in 0..<count { codes[symbols[place + i]] = code + i }
            (code, place) = ((code + count) * 2, place + count)
        }
        (self.codes, self.rows) = (codes, rows)
    }

    /// Huffman's algorithm (1952): the two rarest become one, again and again. Those that were made come in rising order, so that
    /// the next one is always at the front of one of two queues.
    private static func lengths(_ counts: [Int]) -> [Int] {
        let leaves = counts.indices.filter { counts[$0] > 0 }.sorted { (counts[$0], $0) < (counts[$1], $1) }
        var lengths = [Int](repeating: 0, count: counts.count)
        guard leaves.count > 1 else {
            for leaf in leaves { lengths[leaf] = 1 }
            return lengths
        }
        // Nodes are the leaves and then what is made, each with its parent.
        var (sums, parents) = (leaves.map { counts[$0] }, [Int](repeating: 0, count: 2 * leaves.count - 1))
        var (leaf, made) = (0, leaves.count)
        while sums.count < parents.count {
            var sum = 0
            for _ in 0..<2 {
                let takesLeaf = leaf < leaves.count && (made == sums.count || sums[leaf] <= sums[made])
                let node = takesLeaf ? leaf : made
                if takesLeaf { leaf += 1 } else { made += 1 }
                sum += sums[node]
                parents[node] = sums.count
            }
            sums.append(sum)
        }
        var depths = [Int](repeating: 0, count: parents.count)
        for node in (0..<parents.count - 1).reversed() { depths[node] = depths[parents[node]] + 1 }
        for (node, symbol) in leaves.enumerated() { lengths[symbol] = depths[node] }
        return lengths
    }

    func write(_ symbol: Int, to writer: inout BitWriter) { writer.write(codes[symbol], bits: lengths[symbol]) }

    /// - Throws: `format` when the bits end, or are no code.
    func read(_ reader: inout BitReader) throws -> Int {
        var code = 0
        for length in 1...Self.longest {
            code = code << 1 | (try reader.read(bits: 1))
            let row = rows[length]
            if code - row.first < row.count { return symbols[row.place + code - row.first] }
        }
        throw DaflError(.format, "has bits that are no Huffman code")
    }
}
