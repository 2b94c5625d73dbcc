import Networks
import Numerics

extension Network {
    /// What pruning and sharing change: `layerWeights`. The others are few, and stay.
    /// - Throws: `unsupported` where there are none.
    func weights() throws -> [Parameter] {
        let weights = layerWeights
        guard !weights.isEmpty else {
            throw DaflError(.unsupported, "the network \(name) has no linear layer or convolution, whose weights could become fewer")
        }
        return weights
    }
}
