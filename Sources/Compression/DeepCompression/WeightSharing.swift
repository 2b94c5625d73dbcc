import Networks
import Numerics

/// Each layer's weights made a few shared values: the second stage of Deep Compression (Han, Mao and Dally, ICLR 2016). Training
/// that keeps equal weights equal tunes the values by the sums of their weights' gradients.
enum WeightSharing {
    /// - Parameters:
    ///   - bits: of a weight's code in linear layers, for 2^bits values; zeros have none and stay.
    ///   - convolutionBits: the same for convolutions.
    static func shared(_ network: Network, bits: Int, convolutionBits: Int) throws -> Network {
        let result = try network.copy()
        for weight in try result.weights().map(\.value) {
            try share(weight, values: 1 << (weight.shape.rank > 2 ? convolutionBits : bits))
        }
        return result
    }

    private static func share(_ weight: Tensor, values: Int) throws {
        let sorted = try SortedNumbers(of: weight.count, summing: { $0 }) { weight[$0] == 0 ? nil : weight[$0] }
        guard sorted.count > 0 else { return }
        let means = try means(sorted, values)
        for i in 0..<weight.count where weight[i] != 0 {
            var (low, high) = (0, means.count - 1)
            while low < high {
                let middle = (low + high) / 2
                if Double(weight[i]) <= (means[middle] + means[middle + 1]) / 2 { high = middle } else { low = middle + 1 }
            }
            weight[i] = Float(means[low])
        }
        weight.touch()
    }

    private static let mostRounds = 500
    /// A value of 0 would be taken for weights that were pruned.
    private static let besideZero = 1e-30

    /// k-means along a line, from centres spread evenly between the smallest and the largest number, which the paper found best;
    /// with rising means. A centre that has no number is left out.
    private static func means(_ sorted: SortedNumbers, _ count: Int) throws -> [Double] {
        let (low, high) = (Double(sorted[0]), Double(sorted[sorted.count - 1]))
        var means = (0..<count).map { low + (high - low) * (Double($0) + 0.5) / Double(count) }
        for _ in 0..<mostRounds {
            var (start, moved) = (0, [Double]())
            for (i, mean) in means.enumerated() {
                let border = i + 1 < means.count ? (mean + means[i + 1]) / 2 : .infinity
                let end = max(start, sorted.first { Double(sorted[$0]) > border })
                if end > start { moved.append(sorted.sum(start..<end) / Double(end - start)) }
                start = end
            }
            guard moved != means else { break }
            means = moved
        }
        return means.map { Float($0) == 0 ? besideZero : $0 }
    }
}
