import Networks
import Numerics

extension Network {
    /// The weights of its linear layers and convolutions, each once: what pruning and sharing change. Biases and what belongs to
    /// normalisations are few, and stay.
    /// - Throws: `unsupported` where there are none.
    func weights() throws -> [Parameter] {
        let weights = trainedParameters.filter { $0.value.shape.rank >= 2 }
        guard !weights.isEmpty else {
            throw DaflError(.unsupported, "the network \(name) has no linear layer or convolution, whose weights could become fewer")
        }
        return weights
    }
}
