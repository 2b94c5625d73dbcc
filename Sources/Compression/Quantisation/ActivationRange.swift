import Networks
import Numerics

/// Which range of an activation's numbers eight bits are spread over: the one with the smallest squared error on what was
/// seen. Cutting off a few large numbers makes the steps between all others smaller.
struct ActivationRange {
    private(set) var low: Float = 0
    private(set) var high: Float = 0
    private var bins: [Int] = []
    private(set) var isFinite = true
    /// Beyond it numbers count as infinite: a step has to be a float that a `FakeQuantization` takes.
    private static let largest: Float = 1e30

    private static let binCount = 2048
    /// Ends that are tried, as shares of the smallest and of the largest number.
    private static let shares = 100
    private static let rounds = 3

    /// First of all batches: 0 is in the range always, so that zeros at edges stay what they are.
    mutating func widen(by batch: Batch) {
        var (low, high, isFinite) = (low, high, isFinite)
        batch.forEach { _, number in
            low = min(low, number)
            high = max(high, number)
            isFinite = isFinite && abs(number) < Self.largest
        }
        (self.low, self.high, self.isFinite) = (low, high, isFinite)
    }

    /// Then of all batches again. A 0 is in any grid and counts nowhere.
    mutating func count(_ batch: Batch) {
        if bins.isEmpty { bins = [Int](repeating: 0, count: Self.binCount) }
        let (low, width) = (low, (high - low) / Float(Self.binCount))
        guard width > 0 else { return }
        bins.withUnsafeMutableBufferPointer { bins in
            batch.forEach { _, number in
                if number != 0 { bins[min(Self.binCount - 1, Int((number - low) / width))] += 1 }
            }
        }
    }

    /// Whole numbers from 0 to 255 over the range. Without a sign: of those with one ONNX Runtime makes these on x64 where it can,
    /// and has no operator for both at once.
    var grid: ActivationGrid {
        let (low, high) = best
        let scale = WeightGrid.step(max((high - low) / 255, Self.smallestScale))
        let zero = Int((-low / scale).rounded())
        return ActivationGrid(scale: scale, zero: min(max(zero, 0), 255), low: 0, high: 255)
    }

    /// Of an activation that is always 0.
    private static let smallestScale: Float = 1e-12

    private var best: (low: Float, high: Float) {
        var (low, high) = (low, high)
        for _ in 0..<Self.rounds {
            low = least(of: candidates(self.low)) { squaredError($0, high) }
            high = least(of: candidates(self.high)) { squaredError(low, $0) }
        }
        return (low, high)
    }

    private func candidates(_ end: Float) -> [Float] {
        end == 0 ? [0] : (1...Self.shares).reversed().map { end * Float($0) / Float(Self.shares) }
    }

    private func least(of ends: [Float], _ error: (Float) -> Double) -> Float {
        ends.map { ($0, error($0)) }.min { $0.1 < $1.1 }?.0 ?? 0
    }

    /// Inside, rounding errors are spread evenly over a step; outside, numbers become the nearer end.
    private func squaredError(_ low: Float, _ high: Float) -> Double {
        let (start, width) = (Double(self.low), Double(self.high - self.low) / Double(Self.binCount))
        let (low, high) = (Double(low), Double(high))
        let step = (high - low) / 255, rounding = step * step / 12
        var sum = 0.0
        for (bin, count) in bins.enumerated() where count > 0 {
            let number = start + (Double(bin) + 0.5) * width
            let beyond = max(0, low - number, number - high)
            sum += Double(count) * max(rounding, beyond * beyond)
        }
        return sum
    }
}
