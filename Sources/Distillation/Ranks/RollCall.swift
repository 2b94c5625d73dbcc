import Numerics

/// Whether all ranks are there, each once, and are of one run: found from a sum of what each has to say, small whole numbers, of which
/// float32 sums are exact.
struct RollCall {
    let arena: RankArena
    private let ranks: Int
    private var texts = 0
    private static let mostTexts = 2
    /// A checksum of 64 bits, in pieces of four.
    private static let pieces = 16

    /// - Throws: `outOfMemory`.
    init(rank: Int, ranks: Int) throws {
        self.ranks = ranks
        arena = try RankArena(room: ranks + 2 * Self.mostTexts * Self.pieces)
        arena[rank] = 1
    }

    /// What all should have alike.
    mutating func add(_ text: String) {
        precondition(texts < Self.mostTexts)
        var (checksum, bytes) = (Checksum(), Array(text.utf8))
        bytes.withUnsafeMutableBytes { checksum.add(UnsafeRawBufferPointer($0)) }
        for i in 0..<Self.pieces {
            let piece = Float(checksum.value >> UInt64(4 * i) & 15)
            let place = start(of: texts) + 2 * i
            (arena[place], arena[place + 1]) = (piece, piece * piece)
        }
        texts += 1
    }

    private func start(of text: Int) -> Int { ranks + 2 * text * Self.pieces }

    /// After the exchange.
    /// - Throws: `invalidArgument`, on all ranks alike.
    func check(named names: [String]) throws {
        if let rank = (0..<ranks).first(where: { arena[$0] != 1 }) {
            throw DaflError.invalid("the number of runs with the rank \(rank)", Int(arena[rank]), "1: each of the \(ranks) has its own")
        }
        for (text, name) in names.enumerated() {
            // Numbers are all the same where the mean of the squares is the square of the mean.
            let areAlike = (0..<Self.pieces).allSatisfy { i in
                let place = start(of: text) + 2 * i
                return Double(arena[place]) * Double(arena[place]) == Double(arena[place + 1]) * Double(ranks)
            }
            guard areAlike else {
                throw DaflError(.invalidArgument, "\(name) are not the same on all \(ranks) ranks, as they must be")
            }
        }
    }
}
