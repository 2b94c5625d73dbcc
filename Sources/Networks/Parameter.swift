import Numerics

/// A named tensor of a network: a trained weight with its gradient, or a buffer such as a running mean.
package final class Parameter {
    /// As in PyTorch's state_dict, for example "conv1.weight".
    package let name: String
    package let value: Tensor
    /// What the last backward pass wrote; nil for a buffer, which is not trained.
    package let gradient: Tensor?

    package init(name: String, shape: [Int], isTrained: Bool = true) throws {
        self.name = name
        value = try Tensor(shape)
        gradient = isTrained ? try Tensor(shape) : nil
    }

    package var isTrained: Bool { gradient != nil }
}
