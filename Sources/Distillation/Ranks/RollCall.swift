import Numerics

/// Whether all ranks are there, each once, and are of one run: found from a sum of what each has to say, small whole numbers, of which
/// float32 sums are exact. As long for whatever a rank has to say.
struct RollCall {
    /// As the option `ranks` has it.
    static let mostRanks = 4096
    /// What all should have alike.
    enum Matter: Int, CaseIterable {
        case options, students, teachers, stepsDone

        var name: String {
            switch self {
            case .options: "options"
            case .students: "students, or the weights that they start with,"
            case .teachers: "teachers, or the units of their inputs,"
            case .stepsDone: "steps done"
            }
        }
    }

    let arena: RankArena
    private let rank: Int
    private let ranks: Int
    private var checksums: [Matter: UInt64] = [:]
    /// A checksum of 64 bits, in pieces of four.
    private static let pieces = 16

    /// - Throws: `outOfMemory`.
    init(rank: Int, ranks: Int) throws {
        (self.rank, self.ranks) = (rank, ranks)
        arena = try RankArena(room: Self.mostRanks + 2 * Matter.allCases.count * Self.pieces)
    }

    mutating func add(_ matter: Matter, _ text: String) {
        var checksum = Checksum()
        Array(text.utf8).withUnsafeBytes { checksum.add($0) }
        checksums[matter] = checksum.value
    }

    /// Before the exchange.
    func begin() {
        arena.clear()
        arena[rank] = 1
        for (matter, checksum) in checksums {
            for i in 0..<Self.pieces {
                let piece = Float(checksum >> UInt64(4 * i) & 15)
                let place = place(matter, i)
                (arena[place], arena[place + 1]) = (piece, piece * piece)
            }
        }
    }

    private func place(_ matter: Matter, _ piece: Int) -> Int { Self.mostRanks + 2 * (matter.rawValue * Self.pieces + piece) }

    /// After the exchange.
    /// - Throws: `invalidArgument`, on all ranks alike.
    func check() throws {
        if let rank = (0..<ranks).first(where: { arena[$0] != 1 }) {
            throw DaflError.invalid(
                "the number of runs with the rank \(rank)", "\(arena[rank])",
                "1: each of the \(ranks) has its own, and all_reduce replaces what it is given by the sum")
        }
        for matter in Matter.allCases {
            // Numbers are all the same where the mean of the squares is the square of the mean.
            let areAlike = (0..<Self.pieces).allSatisfy { i in
                let (sum, squares) = (Double(arena[place(matter, i)]), Double(arena[place(matter, i) + 1]))
                return sum * sum == squares * Double(ranks)
            }
            guard areAlike else {
                throw DaflError(.invalidArgument, "\(matter.name) are not the same on all \(ranks) ranks, as they must be")
            }
        }
    }
}
