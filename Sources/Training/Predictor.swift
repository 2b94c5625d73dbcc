import Networks
import Numerics

/// Runs a network on images in rows, and keeps the memory for it from one call to the next.
///
///     let predictor = try Predictor(network, compute)
///     try predictor.predict(rows: images, count: 1000, outputs: logits)
///
/// The network's weights may change between calls.
package final class Predictor {
    private let network: Network
    private let compute: Compute
    /// For a few images, one after the other; nil when the network is none that it can do.
    private let single: SingleImagePass?
    private var pass: Pass?
    private let batchSize: Int
    /// Up to so many images go one by one: sixteen in the lanes of vectors take as long as about five alone.
    private static let fewImages = 4

    /// - Parameter batchSize: images at a time; counts that it divides need no memory but the first time.
    package init(_ network: Network, batchSize: Int = 256, _ compute: Compute) throws {
        self.network = network
        self.batchSize = batchSize
        self.compute = compute
        single = try SingleImagePass(network, compute)
    }

    /// Images [count, input] to outputs [count, output].
    package func predict(
        rows images: UnsafePointer<Float>, count: Int, outputs: UnsafeMutablePointer<Float>
    ) throws {
        if let single, count <= Self.fewImages {
            for i in 0..<count {
                single.predict(images + i * network.inputShape.count, outputs: outputs + i * network.outputShape.count)
            }
            return
        }
        try forEachBatch(of: images, count: count) { start, pass in
            pass.output.store(rows: outputs + start * pass.output.elements, compute)
        }
    }

    /// Images [count, input] to the network's features [count, features].
    /// - Throws: `unsupported` for a network that has none.
    package func features(
        rows images: UnsafePointer<Float>, count: Int, features rows: UnsafeMutablePointer<Float>
    ) throws {
        guard network.featureNode != nil else {
            throw DaflError(.unsupported, "a network \(network.name) has no features")
        }
        try forEachBatch(of: images, count: count) { start, pass in
            guard let features = pass.features else { return }
            features.store(rows: rows + start * features.elements, compute)
        }
    }

    /// The share of images [count, input] whose largest output is their label's.
    /// - Throws: `diverged` when an output is not a number, so that no class is the largest.
    package func accuracy(rows images: UnsafePointer<Float>, labels: UnsafePointer<Int64>, count: Int) throws -> Double {
        var hits = 0
        try forEachBatch(of: images, count: count) { start, pass in
            let output = pass.output
            guard output.isFinite else {
                throw DaflError(.diverged, "the network's outputs are not finite from image \(start) on")
            }
            let winners = try Indices(count: output.samples)
            output.argmax(to: winners, compute)
            for i in 0..<winners.count where Int64(winners[i]) == labels[start + i] { hits += 1 }
        }
        return Double(hits) / Double(count)
    }

    private func forEachBatch(
        of images: UnsafePointer<Float>, count: Int, _ body: (Int, Pass) throws -> Void
    ) throws {
        for start in stride(from: 0, to: count, by: batchSize) {
            let pass = try pass(samples: min(batchSize, count - start))
            pass.input.load(rows: images + start * network.inputShape.count, compute)
            pass.forward()
            try body(start, pass)
        }
    }

    /// The pass of last time, if it was of the same size.
    private func pass(samples: Int) throws -> Pass {
        if let pass, pass.input.samples == samples { return pass }
        pass = nil  // before the next one takes its memory
        let next = try Pass(network, input: Batch(samples: samples, shape: network.inputShape), compute)
        pass = next
        return next
    }
}
