import LaneKernels
import Numerics

/// A network at work on one image at a time, for the shortest answer to a single question.
///
///     let single = try SingleImagePass(network, compute)
///     try single.predict(image, outputs: logits)
///
/// A `Pass` works on sixteen images in the lanes of its vectors, and for one image takes as long as for sixteen. Here the
/// lanes are channels. Batch normalisations, activations and residual sums are done along with the convolutions that they
/// follow. It keeps copies of convolutions' weights, made anew when the network's have changed.
package final class SingleImagePass {
    private let network: Network
    private let input: SingleRows
    private let output: SingleRows
    private let steps: [any SingleStep]
    /// The network's when the steps last prepared.
    private var version: Int?

    /// nil for a network with images so large that several in the lanes are as well.
    /// - Throws: `outOfMemory`.
    package init?(_ network: Network, _ compute: Compute) throws {
        self.network = network
        do {
            let plan = try SinglePlan(network, compute)
            (input, output, steps) = (plan.input, plan.output, plan.steps)
        } catch is SingleImageTooLarge {
            return nil
        }
    }

    /// From one image to `outputs`.
    package func predict(_ image: UnsafePointer<Float>, outputs: UnsafeMutablePointer<Float>) {
        let now = network.version
        if version != now {
            for step in steps { step.prepare() }
            version = now
        }
        assert(steps.allSatisfy(\.isPrepared), "someone changed weights without touch()")
        input.start = image
        for step in steps { step.run() }
        outputs.update(from: output.start, count: network.outputShape.count)
    }
}

/// A piece of the work on one image, which knows where its numbers are.
protocol SingleStep: AnyObject {
    /// Brings what is kept of the network's weights up to date.
    func prepare()
    /// Whether that is up to date; for checks.
    var isPrepared: Bool { get }
    func run()
}

extension SingleStep {
    func prepare() {}
    var isPrepared: Bool { true }
}
