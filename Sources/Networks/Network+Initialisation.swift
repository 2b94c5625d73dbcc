import Numerics

extension Network {
    /// Draws new weights as PyTorch's layers do: uniform in ±1/sqrt(fan-in) for the weight and the bias of linear and
    /// convolution layers; batch normalisation starts at weight 1, bias 0, mean 0, variance 1.
    package func initialise(_ random: inout Philox) {
        for node in nodes {
            switch node.layer {
            case is BatchNorm:
                for parameter in node.layer.parameters {
                    let isOne = parameter.name.hasSuffix(".weight") || parameter.name.hasSuffix(".running_var")
                    parameter.value.fill(isOne ? 1 : 0)
                }
            default:
                guard let weight = node.layer.parameters.first, weight.isTrained else { continue }
                let fanIn = weight.value.count / weight.value.shape[0]
                let bound = 1 / Float(fanIn).squareRoot()
                for parameter in node.layer.parameters {
                    for i in 0..<parameter.value.count { parameter.value[i] = bound * random.nextSymmetric() }
                }
            }
        }
    }
}
