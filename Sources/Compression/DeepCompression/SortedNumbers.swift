import Numerics

/// Numbers in order, with the sums of what is made of the first ones.
struct SortedNumbers {
    let count: Int
    private let numbers: Tensor
    private let sums: Doubles  // [count + 1]

    /// - Parameters:
    ///   - term: what of a number is summed.
    ///   - number: the i-th before they are sorted; nil for one that is left out.
    /// - Throws: `outOfMemory`.
    init(of all: Int, summing term: (Double) -> Double, _ number: (Int) -> Float?) throws {
        numbers = try Tensor([max(1, all)])
        var count = 0
        for i in 0..<all {
            guard let number = number(i) else { continue }
            numbers[count] = number
            count += 1
        }
        self.count = count
        numbers.sort(first: count)
        sums = try Doubles(count: count + 1)
        for i in 0..<count { sums[i + 1] = sums[i] + term(Double(numbers[i])) }
    }

    subscript(i: Int) -> Float { numbers[i] }
    func sum(_ range: Range<Int>) -> Double { sums[range.upperBound] - sums[range.lowerBound] }

    /// How many there are before the first for which a condition holds, which then holds for all that follow.
    func first(where holds: (Int) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if holds(middle) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
