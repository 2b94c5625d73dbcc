import Numerics

/// Weights as whole numbers from -127 to 127, or of seven bits from -63 to 63, times a step for each output channel: a symmetric
/// grid.
///
/// The largest weight of a channel is as many steps as there can be, so that the step is found again in the values, which is all
/// that a network keeps of it. Steps have `significantBits` bits and no more: 127 of them are then a float without rounding, and
/// so is the product of two steps, by which biases are counted. What is on a grid is put on it as it is.
package struct WeightGrid {
    /// With which a grid can be: eight bits are the finest.
    package static let bits = 7...8
    /// Biases are whole numbers of 32 bits.
    package static let largestBias = Float(1 << 31)
    /// Smaller weights and biases are taken for 0: their step would leave the floats' own range.
    static let smallest: Float = 1e-30
    private static let significantBits = 12

    /// For each output channel; 0 for one whose weights are all 0.
    package let scales: [Float]
    private let weights: Tensor

    /// nil unless all weights lie on such a grid, as close as floats do.
    package init?(of weights: Tensor, outputs: Int) {
        for bits in Self.bits.reversed() {
            if let grid = WeightGrid(of: weights, outputs: outputs, bits: bits) {
                self = grid
                return
            }
        }
        return nil
    }

    private init?(of weights: Tensor, outputs: Int, bits: Int) {
        let row = weights.count / outputs
        let scales = (0..<outputs).map { output in
            Self.magnitude(weights, output * row..<(output + 1) * row) / Self.most(bits)
        }
        for i in 0..<weights.count where scales[i / row] > 0 {
            let steps = weights[i] / scales[i / row]
            guard abs(steps - steps.rounded()) < Self.closeness else { return nil }
        }
        (self.scales, self.weights) = (scales, weights)
    }

    private static let closeness: Float = 1e-3

    /// The steps that a weight is.
    package subscript(i: Int) -> Int {
        let scale = scales[i / (weights.count / scales.count)]
        return scale > 0 ? Int((weights[i] / scale).rounded()) : 0
    }

    /// The steps that the largest weight of a channel is.
    private static func most(_ bits: Int) -> Float { Float(1 << (bits - 1) - 1) }

    /// Puts weights on the grid that holds the largest of each channel.
    /// - Parameter bits: those of the grid that they are on already, where they are on one.
    package static func round(_ weights: Tensor, outputs: Int, bits: Int) {
        let bits = Self.bits.reversed().first { WeightGrid(of: weights, outputs: outputs, bits: $0) != nil } ?? bits
        let row = weights.count / outputs
        for output in 0..<outputs {
            let places = output * row..<(output + 1) * row
            let scale = step(magnitude(weights, places) / most(bits))
            for i in places { weights[i] = scale > 0 ? (weights[i] / scale).rounded() * scale : 0 }
        }
        weights.touch()
    }

    private static func magnitude(_ weights: Tensor, _ places: Range<Int>) -> Float {
        let largest = places.reduce(0) { max($0, abs(weights[$1])) }
        return largest < smallest ? 0 : largest
    }

    /// The step next to a positive number.
    package static func step(_ number: Float) -> Float {
        let dropped = UInt32(24 - significantBits)
        return Float(bitPattern: (number.bitPattern + (1 << (dropped - 1))) & ~((1 << dropped) - 1))
    }
}
