import Numerics

/// Which network makes the teacher's inputs.
package enum GeneratorKind: String, CaseIterable {
    /// The convolutional one for images, and for vectors that are likely to be one: squares of a side from 16 up and
    /// divisible by 4, such as 784 = 28 x 28. The perceptron for other vectors.
    case auto
    /// "dafl-generator", for images and for vectors that are a square image of one channel, row by row.
    case convolution
    /// "dafl-vector-generator", for anything.
    case perceptron

    /// The image that an input is; nil for one that is to be treated as a vector.
    func image(of input: Shape) -> (channels: Int, height: Int, width: Int)? {
        let (channels, height, width) = input.channelsHeightWidth
        guard height == 1, width == 1 else { return (channels, height, width) }
        let side = Int(Double(channels).squareRoot().rounded())
        guard side * side == channels else { return nil }
        return self == .convolution || (self == .auto && side >= 16 && side % 4 == 0) ? (1, side, side) : nil
    }
}
