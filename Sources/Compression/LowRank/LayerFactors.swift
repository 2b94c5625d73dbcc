import Networks
import Numerics

/// A layer with weights as two layers through fewer numbers or channels between them, the rank.
struct LayerFactors {
    enum Form {
        /// A linear layer as two.
        case linear
        /// A convolution as one with the same kernel and one of 1 x 1.
        case channels
        /// A convolution as one with a column for its kernel and one with a row.
        case separable
    }

    let form: Form
    private let values: SingularValues
    /// Multiply-adds of the two for each unit of rank.
    private let unitCost: Int
    /// What is lost with so many singular values, as a share of the sum of all squares: 0...count of them.
    private let lost: [Double]

    /// - Parameter unitCost: multiply-adds of both layers for each unit of rank.
    init(_ form: Form, _ values: SingularValues, unitCost: Int) {
        (self.form, self.values, self.unitCost) = (form, values, unitCost)
        let total = values.values.reduce(0) { $0 + $1 * $1 }
        var (rest, lost) = (0.0, [0.0])
        for value in values.values.reversed() {
            rest += value * value
            lost.append(total > 0 ? rest / total : 0)
        }
        self.lost = lost.reversed()
    }

    var ranks: ClosedRange<Int> { 1...values.values.count }
    func loss(_ rank: Int) -> Double { lost[rank] }
    func cost(_ rank: Int) -> Int { unitCost * rank }

    /// The smallest rank that loses at most this share.
    func rank(losing share: Double) -> Int { ranks.first { loss($0) <= share } ?? ranks.upperBound }

    /// The rows of the first layer's weights, and the columns of the second's, for the i-th unit of rank. Both have the root of
    /// the singular value, so that they learn alike.
    func vectors(_ i: Int) -> (first: [Double], second: [Double]) {
        let (u, v) = values.vectors(i), root = values.values[i].squareRoot()
        return (v.map { $0 * root }, u.map { $0 * root })
    }
}
