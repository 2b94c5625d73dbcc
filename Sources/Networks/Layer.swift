import Numerics

/// One kind of node of a network: what it computes, and the weights it computes with.
///
/// A layer is a description and works for any batch. `plan` makes the operation that does the work for one batch size, with
/// all the memory it needs, so that a training step allocates nothing.
package protocol Layer: AnyObject {
    /// In PyTorch's order, trained weights and buffers together.
    var parameters: [Parameter] { get }
    /// - Throws: `invalidArgument` when the inputs do not fit the layer.
    func outputShape(_ inputs: [Shape]) throws -> Shape
    /// Multiplications with weights for one sample, as the papers count FLOPs.
    func multiplyAdds(_ inputs: [Shape], output: Shape) -> Int
    func plan(_ site: Site) throws -> any Operation
    /// Which of its activations its backward pass reads, that are to be kept until then. The default: all.
    func backwardReads(trains: Bool) -> BackwardReads
    /// What it reads besides where it compares statistics, see `Pass.statisticsDistance`. The default: nothing.
    var statisticsReads: BackwardReads { get }
}

/// What a backward pass reads of the forward pass.
package struct BackwardReads: OptionSet {
    package let rawValue: Int
    package init(rawValue: Int) { self.rawValue = rawValue }
    static let inputs = BackwardReads(rawValue: 1)
    static let output = BackwardReads(rawValue: 2)
}

extension Layer {
    package var parameters: [Parameter] { [] }
    package func backwardReads(trains: Bool) -> BackwardReads { [.inputs, .output] }
    package var statisticsReads: BackwardReads { [] }
    package func multiplyAdds(_ inputs: [Shape], output: Shape) -> Int { 0 }
}

/// A layer's work on one batch: reads and writes the batches of its site.
package protocol Operation: AnyObject {
    /// - Parameter training: batch normalisation uses the batch's statistics and updates its running ones, and dropout drops
    ///   if the site has masks.
    func forward(training: Bool)
    /// From the gradient by the output, after the forward pass for the same data: writes the gradient by each input that
    /// wants one, and by the weights when the site trains. Overwrites both.
    func backward()
}

/// Where an operation works.
package struct Site {
    package let inputs: [Slot]
    package let output: Slot
    package let samples: Int
    /// Whether the backward pass writes the gradients of the layer's weights.
    package let trains: Bool
    /// Of the gradient of `Pass.statisticsDistance`, which batch normalisation adds to its own; 0 to do without.
    package let statisticsWeight: Float
    package let compute: Compute
    /// Of dropout; nil where there is none.
    package var masks: DropoutMasks?
}

/// A batch of activations and, where one is wanted, the gradient by them.
package struct Slot {
    package let value: Batch
    package let gradient: Batch?
}

/// Of positive numbers; the largest Int where it is larger than that.
func product(_ factors: Int...) -> Int {
    factors.reduce(1) { product, factor in
        let (result, overflow) = product.multipliedReportingOverflow(by: factor)
        return overflow ? Int.max : result
    }
}

/// The sole input's shape of a layer that takes one.
func soleInput(_ inputs: [Shape], of layer: String) throws -> Shape {
    guard inputs.count == 1, let input = inputs.first else {
        throw DaflError.invalid("the number of inputs of \(layer)", inputs.count, "1")
    }
    return input
}
