import Numerics

/// The mean of the last sixteen numbers; NaN before the first.
struct RecentMean {
    private static let most = 16
    private var numbers = [Double](repeating: 0, count: most)
    private var count = 0
    private var next = 0

    mutating func add(_ number: Double) {
        numbers[next] = number
        next = (next + 1) % Self.most
        count = min(count + 1, Self.most)
    }

    var value: Double { count == 0 ? .nan : numbers[..<count].reduce(0, +) / Double(count) }

    mutating func persist(_ archive: Archive) {
        archive.whole("count", &count, in: 0...Self.most)
        archive.whole("next", &next, in: 0...Self.most - 1)
        archive.reals("numbers", &numbers)
    }
}
