import Networks
import Numerics

extension Network {
    /// Runs the network on rows: images [count, input] to outputs [count, output], some hundred at a time.
    package func predict(
        rows images: UnsafePointer<Float>, count: Int, outputs: UnsafeMutablePointer<Float>, _ compute: Compute
    ) throws {
        try forEachBatch(of: images, count: count, compute) { start, output in
            output.store(rows: outputs + start * output.elements, compute)
        }
    }

    /// The share of images [count, input] whose largest output is their label's.
    /// - Throws: `diverged` when an output is not a number, so that no class is the largest.
    package func accuracy(
        rows images: UnsafePointer<Float>, labels: UnsafePointer<Int64>, count: Int, _ compute: Compute
    ) throws -> Double {
        var hits = 0
        try forEachBatch(of: images, count: count, compute) { start, output in
            guard output.isFinite else {
                throw DaflError(.diverged, "the network's outputs are not finite from image \(start) on")
            }
            for i in 0..<output.samples where Int64(output.argmax(i)) == labels[start + i] { hits += 1 }
        }
        return Double(hits) / Double(count)
    }

    private func forEachBatch(
        of images: UnsafePointer<Float>, count: Int, _ compute: Compute, _ body: (Int, Batch) throws -> Void
    ) throws {
        var pass: Pass?
        for start in stride(from: 0, to: count, by: 256) {
            let samples = min(256, count - start)
            if pass?.input.samples != samples {
                pass = try Pass(self, input: Batch(samples: samples, shape: inputShape), compute)
            }
            guard let pass else { return }
            pass.input.load(rows: images + start * inputShape.count, compute)
            pass.forward()
            try body(start, pass.output)
        }
    }
}
