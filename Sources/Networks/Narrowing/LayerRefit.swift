import Numerics

/// A convolution or linear layer's weights that, from what a student gives it, make what the teacher's makes, with the least
/// squared error over places of some pictures.
final class LayerRefit {
    private let geometry: ConvolutionGeometry?  // nil for a linear layer
    private let size: Int  // of a window of the input, and 1
    private let outputs: [Int]
    private let moments: Doubles  // [size, size]
    private let products: Doubles  // [outputs, size]
    private let window: Doubles  // [size]
    private var count = 0.0
    private var random = Philox(seed: 0, stream: .order)

    /// Larger windows would take longer than they are worth.
    static let largestWindow = 2304

    /// nil for a layer that this cannot do.
    /// - Parameters:
    ///   - layer: the student's.
    ///   - outputs: which of the teacher's the student's are.
    init?(_ layer: any Layer, weights: Int, outputs: [Int]) throws {
        size = weights / outputs.count + 1
        guard size <= Self.largestWindow else { return nil }
        geometry = (layer as? Convolution)?.geometry
        self.outputs = outputs
        moments = try Doubles(count: size * size)
        products = try Doubles(count: outputs.count * size)
        window = try Doubles(count: size)
        window[size - 1] = 1
    }

    /// - Parameters:
    ///   - input: what the student's layer reads.
    ///   - target: what the teacher's puts out.
    ///   - places: of each sample.
    func add(_ input: Batch, _ target: Batch, places: Int) {
        let pixels = target.elements / target.shape.channelsHeightWidth.channels
        for sample in 0..<input.samples {
            for _ in 0..<min(places, pixels) {
                let place = pixels == 1 ? 0 : random.next(below: pixels)
                readWindow(input, sample, place, width: target.shape.channelsHeightWidth.width)
                for i in 0..<size where window[i] != 0 {
                    let (row, value) = (moments.pointer + i * size, window[i])
                    for j in 0...i { row[j] += value * window.pointer[j] }
                }
                for (o, output) in outputs.enumerated() {
                    let (row, value) = (products.pointer + o * size, Double(target[sample, output * pixels + place]))
                    for j in 0..<size { row[j] += value * window.pointer[j] }
                }
                count += 1
            }
        }
    }

    private func readWindow(_ input: Batch, _ sample: Int, _ place: Int, width: Int) {
        guard let geometry else {
            for i in 0..<size - 1 { window[i] = Double(input[sample, i]) }
            return
        }
        let (channels, height, columns) = input.shape.channelsHeightWidth
        let top = place / width * geometry.stride.y - geometry.padding.top
        let left = place % width * geometry.stride.x - geometry.padding.left
        var i = 0
        for channel in 0..<channels {
            for tap in 0..<geometry.kernel.y {
                let y = top + tap * geometry.dilation.y
                for across in 0..<geometry.kernel.x {
                    let x = left + across * geometry.dilation.x
                    let isInside = y >= 0 && y < height && x >= 0 && x < columns
                    window[i] = isInside ? Double(input[sample, (channel * height + y) * columns + x]) : 0
                    i += 1
                }
            }
        }
    }

    /// Writes the weights, row by row, with the bias, as near to those that are there as the error allows; and the mean and variance that outputs have without it.
    func solve(weight: Tensor, bias: Tensor, mean: Tensor, variance: Tensor) throws {
        guard count > 0 else { return }
        for i in 0..<size * size { moments[i] /= count }
        let factor = try CholeskyFactor(size: size) { i, j in moments[i * size + j] * (i == j ? 1 + 1e-4 : 1) }
        for o in 0..<outputs.count {
            let row = products.pointer + o * size
            func before(_ i: Int) -> Double { Double(i < size - 1 ? weight[o * (size - 1) + i] : bias[o]) }
            // What is left to make up for, and the change that does it.
            for i in 0..<size {
                var made = 0.0
                for j in 0..<size { made += moments[max(i, j) * size + min(i, j)] * before(j) }
                window[i] = row[i] / count - made
            }
            factor.solve(window.pointer)
            for i in 0..<size { row[i] = before(i) + window[i] }
            for i in 0..<size - 1 { weight[o * (size - 1) + i] = Float(row[i]) }
            bias[o] = Float(row[size - 1])
            var (first, second) = (0.0, 0.0)
            for i in 0..<size - 1 {
                first += row[i] * moments[(size - 1) * size + i]
                for j in 0..<i { second += 2 * row[i] * row[j] * moments[i * size + j] }
                second += row[i] * row[i] * moments[i * size + i]
            }
            mean[o] = Float(first)
            variance[o] = Float(max(1e-6, second - first * first))
        }
    }
}
