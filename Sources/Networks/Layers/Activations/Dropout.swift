import Numerics

/// Dropout (Srivastava et al. 2014): in the training of a network that asks for it, each number is 0 with probability `rate`
/// and divided by 1 - rate otherwise. Everywhere else nothing: in inference, in teachers, and in training that does not ask.
///
/// A pass asks for it with `DropoutMasks`.
package final class Dropout: Layer {
    private let rate: Float

    /// `rate`, 0.5. Below 1: what is left of nothing cannot be scaled up.
    init(_ blueprint: Blueprint) throws {
        rate = try blueprint.number("rate", 0...1, or: 0.5)
        guard rate < 1 else { throw blueprint.invalid("rate", rate, "from 0 to below 1") }
    }

    package func outputShape(_ inputs: [Shape]) throws -> Shape { try soleInput(inputs, of: "dropout") }

    package func backwardReads(trains: Bool) -> BackwardReads { [] }

    package func plan(_ site: Site) throws -> any Operation {
        guard let masks = site.masks, rate > 0 else { return ReshapeOperation(site) }
        return try DropoutOperation(site, rate: rate, masks)
    }
}

/// The random numbers of the dropout layers of one network in training: each layer draws a mask at each forward pass.
///
/// A mask depends on the seed and on how many were drawn before it alone, not on the number of threads.
package final class DropoutMasks: Persistent {
    private let seed: UInt64
    package var drawn = 0

    package init(seed: UInt64) { self.seed = seed }

    /// The numbers of the next mask, from any multiple of four on.
    fileprivate func next() -> (Int) -> Philox {
        let (seed, mask) = (seed, drawn)
        drawn += 1
        return { Philox(seed: seed, stream: .dropout, substream: UInt32(truncatingIfNeeded: mask), skipping: $0) }
    }

    package func persist(_ archive: Archive) { archive.whole("drawn", &drawn, in: Archive.counts) }
}

private final class DropoutOperation: Operation {
    private let site: Site
    private let rate: Float
    private let masks: DropoutMasks
    private let factors: Batch
    private var isDropping = false

    init(_ site: Site, rate: Float, _ masks: DropoutMasks) throws {
        (self.site, self.rate, self.masks) = (site, rate, masks)
        factors = try Batch(samples: site.samples, shape: site.output.value.shape)
    }

    func forward(training: Bool) {
        isDropping = training
        let (x, y) = (site.inputs[0].value, site.output.value)
        guard training else { return y.load(x) }
        let (random, kept) = (masks.next(), 1 / (1 - rate))
        site.compute.parallelFloats(y.count) { start, count in
            var random = random(start)
            for i in start..<start + count { factors.pointer[i] = random.nextUniform() < rate ? 0 : kept }
        }
        scale(x, to: y)
    }

    func backward() {
        guard let dy = site.output.gradient, let dx = site.inputs[0].gradient else { return }
        if isDropping { scale(dy, to: dx) } else { dx.load(dy) }
    }

    private func scale(_ source: Batch, to target: Batch) {
        site.compute.parallelFloats(target.count) { start, count in
            for i in start..<start + count { target.pointer[i] = source.pointer[i] * factors.pointer[i] }
        }
    }
}
