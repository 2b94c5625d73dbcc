import Numerics

/// Weights as whole numbers from -127 to 127, times a step for each output channel: the symmetric grid of eight bits.
///
/// The largest weight of a channel is 127 steps, so that the step is found again in the values, which is all that a network
/// keeps of it. Steps have `significantBits` bits and no more: 127 of them are then a float without rounding, and so is the
/// product of two steps, by which biases are counted. What is on the grid is put on it as it is.
package struct WeightGrid {
    package static let largest = 127
    /// Biases are whole numbers of 32 bits.
    package static let largestBias = Float(1 << 31)
    /// Smaller weights are taken for 0: their step would leave the floats' own range.
    private static let smallest: Float = 1e-30
    private static let significantBits = 12

    /// For each output channel; 0 for one whose weights are all 0.
    package let scales: [Float]
    private let weights: Tensor

    /// nil unless all weights lie on such a grid, as close as floats do.
    package init?(of weights: Tensor, outputs: Int) {
        let row = weights.count / outputs
        let scales = (0..<outputs).map { output in
            Self.magnitude(weights, output * row..<(output + 1) * row) / Float(Self.largest)
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

    /// Puts weights on the grid that holds the largest of each channel.
    package static func round(_ weights: Tensor, outputs: Int) {
        let row = weights.count / outputs
        for output in 0..<outputs {
            let places = output * row..<(output + 1) * row
            let scale = step(magnitude(weights, places) / Float(largest))
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
