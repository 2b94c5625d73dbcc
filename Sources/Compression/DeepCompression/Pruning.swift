import Networks
import Numerics

/// Small weights set to zero: the first stage of Deep Compression (Han, Mao and Dally, ICLR 2016). Training that keeps zeros
/// repairs what that costs, and several rounds of both go further than one.
///
/// How many each layer loses, its weights decide: first go those with the smallest share of the squares of what their layer has
/// left (Lee et al., "Layer-adaptive sparsity for the magnitude-based pruning", ICLR 2021). Short of a share of
/// 1, no layer loses its last weight so.
enum Pruning {
    /// - Parameter share: of all weights of linear layers and convolutions that are zero afterwards.
    static func pruned(_ network: Network, share: Double) throws -> Network {
        let result = try network.copy()
        let weights = try result.weights().map(\.value)
        let layers = try weights.map { weight in try SortedNumbers(of: weight.count, summing: { $0 * $0 }) { abs(weight[$0]) } }
        let wanted = Int(share * Double(layers.reduce(0) { $0 + $1.count }))
        /// How many weights of each layer have scores below one.
        func counts(below score: Double) -> [Int] { layers.map { layer in layer.first { layer.score($0) >= score } } }
        // The score that so many are below, between two numbers of float64 at last.
        var (low, high) = (0.0, 2.0)
        while true {
            let middle = (low + high) / 2
            guard middle > low, middle < high else { break }
            if counts(below: middle).reduce(0, +) <= wanted { low = middle } else { high = middle }
        }
        for (weight, (layer, count)) in zip(weights, zip(layers, counts(below: low))) where count > 0 {
            let largest = layer[count - 1]
            var left = count  // equal weights go in the order of their places
            for i in 0..<weight.count where abs(weight[i]) < largest {
                weight[i] = 0
                left -= 1
            }
            for i in 0..<weight.count where left > 0 && abs(weight[i]) == largest {
                weight[i] = 0
                left -= 1
            }
            weight.touch()
        }
        return result
    }
}

extension SortedNumbers {
    /// Of the i-th smallest magnitude: its square's share of the sum of its own and all larger ones. Rises with i, to 1.
    fileprivate func score(_ i: Int) -> Double {
        let rest = sum(i..<count)
        return rest > 0 ? min(1, Double(self[i]) * Double(self[i]) / rest) : 0
    }
}
