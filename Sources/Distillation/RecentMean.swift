/// The mean of the last sixteen numbers; NaN before the first.
struct RecentMean {
    private var numbers: [Double] = []
    private var next = 0

    mutating func add(_ number: Double) {
        if numbers.count < 16 { numbers.append(number) } else { numbers[next] = number }
        next = (next + 1) % 16
    }

    var value: Double { numbers.isEmpty ? .nan : numbers.reduce(0, +) / Double(numbers.count) }
}
