import Numerics
import Testing

@Suite struct PhiloxTests {
    typealias Words = (UInt32, UInt32, UInt32, UInt32)

    /// The known answers that Random123 publishes for philox4x32-10.
    struct KnownAnswer: Sendable {
        let counter: Words
        let key: (UInt32, UInt32)
        let block: Words
    }

    static let knownAnswers = [
        KnownAnswer(
            counter: (0, 0, 0, 0), key: (0, 0), block: (0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8)),
        KnownAnswer(
            counter: (.max, .max, .max, .max), key: (.max, .max),
            block: (0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd)),
        KnownAnswer(
            counter: (0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344), key: (0xa409_3822, 0x299f_31d0),
            block: (0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1)),
    ]

    @Test(arguments: knownAnswers) func blockHasThePublishedAnswer(_ answer: KnownAnswer) {
        #expect(Philox.block(counter: answer.counter, key: answer.key) == answer.block)
    }

    @Test func sequenceIsTheBlocksOfRisingCounters() {
        var random = Philox(seed: 0x0123_4567_89ab_cdef, stream: .noise, substream: 9)
        for counter in UInt32(0)..<3 {
            let block = Philox.block(counter: (counter, 0, 2, 9), key: (0x89ab_cdef, 0x0123_4567))
            for word in [block.0, block.1, block.2, block.3] { #expect(random.next() == word) }
        }
    }

    @Test func itCanBeginAnywhere() {
        var whole = Philox(seed: 7, stream: .dropout, substream: 2)
        let numbers = (0..<32).map { _ in whole.next() }
        for place in stride(from: 0, to: 32, by: 4) {
            var rest = Philox(seed: 7, stream: .dropout, substream: 2, skipping: place)
            #expect((place..<32).map { _ in rest.next() } == Array(numbers[place...]))
        }
    }

    @Test func aSeedAndAStreamNameOneSequence() {
        func draws(_ seed: UInt64, _ stream: Philox.Stream, _ substream: UInt32) -> [UInt32] {
            var random = Philox(seed: seed, stream: stream, substream: substream)
            return (0..<16).map { _ in random.next() }
        }
        #expect(draws(7, .noise, 0) == draws(7, .noise, 0))
        let others = [
            draws(8, .noise, 0), draws(7 | 1 << 32, .noise, 0), draws(7, .weights, 0), draws(7, .noise, 1),
            draws(7, .noise, 2),
        ]
        for (index, other) in others.enumerated() {
            #expect(other != draws(7, .noise, 0))
            for another in others[..<index] { #expect(Set(other).isDisjoint(with: another)) }
        }
    }

    @Test func uniformLiesInTheUnitIntervalWithItsMoments() {
        var random = Philox(seed: 1, stream: .check)
        let numbers = (0..<40_000).map { _ in random.nextUniform() }
        #expect(numbers.allSatisfy { (0..<1).contains($0) && ($0 * 0x1p24).rounded() == $0 * 0x1p24 })
        // Five standard errors of the mean and of the variance of so many numbers.
        #expect(abs(moment(numbers, 1) - 1 / 2) < 5 * 0.0014)
        #expect(abs(moment(numbers, 2) - 1 / 3) < 5 * 0.0015)
    }

    @Test func symmetricLiesBetweenMinusOneAndOne() {
        var random = Philox(seed: 2, stream: .check)
        let numbers = (0..<10_000).map { _ in random.nextSymmetric() }
        #expect(numbers.allSatisfy { (-1..<1).contains($0) })
        #expect(numbers.min()! < -0.99 && numbers.max()! > 0.99)
        #expect(abs(moment(numbers, 1)) < 5 * 0.0058)
    }

    /// Each of the two numbers of a transform, and both together.
    @Test func normalHasItsMoments() {
        var random = Philox(seed: 3, stream: .check)
        let numbers = (0..<80_000).map { _ in random.nextNormal() }
        let halves = [0, 1].map { half in stride(from: half, to: numbers.count, by: 2).map { numbers[$0] } }
        for half in halves {
            #expect(abs(moment(half, 1)) < 5 * 0.005)
            #expect(abs(moment(half, 2) - 1) < 5 * 0.0071)
            #expect(abs(moment(half, 3)) < 5 * 0.0194)
            #expect(abs(moment(half, 4) - 3) < 5 * 0.049)
            #expect(abs(Double(half.count { abs($0) > 2 }) / 40_000 - 0.0455) < 5 * 0.00105)
        }
        // Nor do neighbours depend on each other, within a transform or between two.
        #expect(abs(moment(zip(halves[0], halves[1]).map { $0 * $1 }, 1)) < 5 * 0.005)
        #expect(abs(moment(zip(halves[1], halves[0].dropFirst()).map { $0 * $1 }, 1)) < 5 * 0.005)
    }

    @Test(arguments: [1, 2, 3, 10, 1000]) func nextBelowIsEvenOverItsRange(bound: Int) {
        var random = Philox(seed: 4, stream: .check)
        var counts = [Int](repeating: 0, count: bound)
        let expected = 40
        for _ in 0..<expected * bound { counts[random.next(below: bound)] += 1 }
        // Chi-square with bound - 1 degrees of freedom stays within six deviations of its mean.
        let chiSquare = counts.reduce(0.0) { $0 + Double(($1 - expected) * ($1 - expected)) / Double(expected) }
        #expect(chiSquare <= Double(bound - 1) + 6 * Double(2 * (bound - 1)).squareRoot())
    }

    @Test(arguments: [0, 1, 2, 17, 1000]) func permutationHoldsEveryIndexOnce(count: Int) {
        var random = Philox(seed: 5, stream: .order)
        let order = random.permutation(count)
        #expect(order.sorted() == Array(0..<count))
        if count > 2 {
            #expect(order != Array(0..<count))
            #expect(random.permutation(count) != order)
        }
    }

    @Test func everyPermutationIsEquallyLikely() {
        var random = Philox(seed: 6, stream: .order)
        var counts: [[Int]: Int] = [:]
        for _ in 0..<6000 { counts[random.permutation(3), default: 0] += 1 }
        #expect(counts.count == 6)
        // Five deviations of a binomial count with mean 1000.
        for count in counts.values { #expect(abs(count - 1000) < 5 * 29) }
    }

    @Test func fillNormalGoesSampleBySampleAndLeavesUnusedLanesZero() throws {
        let batch = try Batch(samples: 19, shape: Shape([3]))
        var (random, same) = (Philox(seed: 7, stream: .noise), Philox(seed: 7, stream: .noise))
        random.fillNormal(batch)
        for sample in 0..<19 {
            for element in 0..<3 { #expect(batch[sample, element] == same.nextNormal()) }
        }
        for sample in 19..<32 {
            for element in 0..<3 { #expect(batch[sample, element] == 0) }
        }
    }

    @Test func fillSignsGoesSampleBySampleAndLeavesUnusedLanesZero() throws {
        let batch = try Batch(samples: 19, shape: Shape([40]))
        var (random, same) = (Philox(seed: 7, stream: .differences), Philox(seed: 7, stream: .differences))
        random.fillSigns(batch)
        for sample in 0..<19 {
            let words = [same.next(), same.next()]
            for element in 0..<40 {
                #expect(batch[sample, element] == (words[element / 32] >> UInt32(element % 32) & 1 == 0 ? 1 : -1))
            }
        }
        for sample in 19..<32 {
            for element in 0..<40 { #expect(batch[sample, element] == 0) }
        }
    }

    private func moment(_ numbers: [Float], _ order: Int) -> Double {
        var total = 0.0
        for number in numbers {
            var power = 1.0
            for _ in 0..<order { power *= Double(number) }
            total += power
        }
        return total / Double(numbers.count)
    }
}

extension Philox {
    fileprivate mutating func permutation(_ count: Int) -> [Int] {
        guard let order = try? Indices(count: count) else { return [] }
        permute(order)
        return (0..<count).map { order[$0] }
    }
}
