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
    /// For one image on all threads; nil when the network is none that it can do.
    private lazy var single = Result { try SingleImagePass(network, compute) }
    /// For several images, one on each thread at a time.
    private lazy var singles = Result {
        try (0..<compute.threads).compactMap { _ in try SingleImagePass(network, compute.alone()) }
    }
    private var pass: Pass?
    private let batchSize: Int
    private let suitsOneByOne: Bool
    /// Of any network up to so many images go one by one: sixteen in the lanes of vectors take as long as about five alone.
    private static let fewImages = 4

    /// - Parameter batchSize: the most images at a time. Their activations take less where they would crowd out what the next
    ///   layer reads.
    package init(_ network: Network, batchSize: Int = 256, _ compute: Compute) throws {
        self.network = network
        self.compute = compute
        suitsOneByOne = network.suitsOneByOne
        self.batchSize = min(batchSize, network.batchInCache(threads: compute.threads))
    }

    /// Images [count, input] to outputs [count, output].
    package func predict(
        rows images: UnsafePointer<Float>, count: Int, outputs: UnsafeMutablePointer<Float>
    ) throws {
        if count <= Self.fewImages || suitsOneByOne, try predictOneByOne(images, count, outputs) { return }
        try forEachBatch(of: images, count: count) { start, pass in
            pass.output.store(rows: outputs + start * pass.output.elements, compute)
        }
    }

    /// False when the network is none that this can do.
    private func predictOneByOne(
        _ images: UnsafePointer<Float>, _ count: Int, _ outputs: UnsafeMutablePointer<Float>
    ) throws -> Bool {
        let (input, output) = (network.inputShape.count, network.outputShape.count)
        if count < compute.threads {
            guard let single = try single.get() else { return false }
            for i in 0..<count { single.predict(images + i * input, outputs: outputs + i * output) }
            return true
        }
        let singles = try singles.get()
        guard singles.count == compute.threads else { return false }
        compute.parallelWithIndex(count) { thread, range in
            for i in range { singles[thread].predict(images + i * input, outputs: outputs + i * output) }
        }
        return true
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

extension Network {
    /// Whether images one by one are faster than sixteen in the lanes of vectors, however many there are: where each weight
    /// is used at many places of an image, so that reading weights for each costs little, and channels fill the lanes.
    fileprivate var suitsOneByOne: Bool {
        var (work, inLanes) = (0.0, 0.0)
        for node in nodes {
            let multiplyAdds = Double(node.layer.multiplyAdds(shapes(of: node.inputs), output: node.outputShape))
            let channels = node.outputShape.channelsHeightWidth.channels
            work += multiplyAdds
            inLanes += multiplyAdds * Double(Batch.blocks(of: channels) * Batch.lanes) / Double(channels)
        }
        return work >= 32 * Double(parameterCount) && 2 * work >= inLanes
    }

    /// The fewest images whose largest activations are more than the weights, in whole vectors for each thread: with more a
    /// layer's output leaves the cache before the next one reads it, with fewer the weights are read too often.
    fileprivate func batchInCache(threads: Int) -> Int {
        let step = Batch.lanes * threads
        let largest = ([inputShape] + nodes.map(\.outputShape)).map(\.count).max() ?? 1
        return (parameterCount / largest / step + 1) * step
    }
}
