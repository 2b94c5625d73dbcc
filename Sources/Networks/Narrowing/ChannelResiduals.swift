import Numerics

/// What is left of a layer's input channels when some of them are known and give back the others by least squares, weighed by
/// what the layer's weights make of them.
///
/// With moments A and, for weights W, M = sum W' W, all that is left is tr(M R) for R = A - A_k A_kk^-1 A_k', which begins as
/// A without its mean. Each channel that becomes known takes its part from R.
final class ChannelResiduals {
    private let channels: Int
    private let residuals: Doubles  // R [channels, channels]
    private let importance: Doubles  // M [channels, channels], so scaled that tr(M R) is 1 at first
    private let product: Doubles  // [channels]

    /// - Parameter importance: M, whose scale does not matter.
    init(_ moments: ChannelMoments, importance: Doubles) throws {
        channels = moments.channels
        self.importance = importance
        residuals = try Doubles(count: channels * channels)
        product = try Doubles(count: channels)
        var total = 0.0
        for i in 0..<channels {
            for j in 0..<channels {
                let value = moments[i, j] - moments[i, channels] * moments[j, channels]
                residuals[i * channels + j] = value
                total += value * importance[i * channels + j]
            }
        }
        guard total > 0 else { return }
        for i in 0..<importance.count { importance[i] /= total }
    }

    /// How much less is left when this channel is known too.
    func gain(of channel: Int) -> Double {
        let row = residuals.pointer + channel * channels
        guard row[channel] > 1e-12 else { return 0 }
        var sum = 0.0
        for i in 0..<channels {
            var inner = 0.0
            let weights = importance.pointer + i * channels
            for j in 0..<channels { inner += weights[j] * row[j] }
            sum += row[i] * inner
        }
        return sum / row[channel]
    }

    func know(_ channel: Int) {
        let pivot = residuals[channel * channels + channel]
        guard pivot > 1e-12 else { return }
        for j in 0..<channels { product[j] = residuals[channel * channels + j] }
        for i in 0..<channels {
            let factor = product[i] / pivot, row = residuals.pointer + i * channels
            for j in 0..<channels { row[j] -= factor * product.pointer[j] }
        }
    }
}
