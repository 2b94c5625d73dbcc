import Numerics

/// How the channels of an activation go together: their second moments over images and pixels, with a channel that is always 1,
/// so that the mean is among them.
package final class ChannelMoments {
    package let channels: Int
    /// [channels + 1, channels + 1], sums until they are read.
    private let sums: Doubles
    private var count = 0.0
    private let column: Doubles
    /// Of each image, so many pixels at most, evenly spread: neighbours tell nearly the same.
    private static let mostPixels = 64

    package init(channels: Int) throws {
        self.channels = channels
        sums = try Doubles(count: (channels + 1) * (channels + 1))
        column = try Doubles(count: channels + 1)
        column[channels] = 1
    }

    /// - Parameter batch: [channels, ...] a sample.
    package func add(_ batch: Batch) {
        let pixels = batch.elements / channels, size = channels + 1
        // No divisor of a row's length, so that the columns take turns.
        let stride = pixels <= Self.mostPixels ? 1 : (pixels / Self.mostPixels) | 1
        for sample in 0..<batch.samples {
            var pixel = sample % stride
            while pixel < pixels {
                for c in 0..<channels { column[c] = Double(batch[sample, c * pixels + pixel]) }
                for i in 0..<size where column[i] != 0 {
                    let (row, value) = (sums.pointer + i * size, column[i])
                    for j in 0...i { row[j] += value * column.pointer[j] }
                }
                count += 1
                pixel += stride
            }
        }
    }

    /// The mean of the product of two channels; `channels` stands for the one that is always 1.
    subscript(i: Int, j: Int) -> Double {
        count == 0 ? 0 : sums[max(i, j) * (channels + 1) + min(i, j)] / count
    }

    /// The mean over channels of their variance.
    package func variance(of kept: [Int]) -> Double {
        let sum = kept.reduce(0) { $0 + self[$1, $1] - self[$1, channels] * self[$1, channels] }
        return sum / Double(max(1, kept.count))
    }
}
