import Networks
import Numerics

@testable import Compression

/// A network with weights from a seed.
func network(_ architecture: String) throws -> Network {
    let network = try Network(architecture: architecture)
    var random = Philox(seed: 1, stream: .weights)
    network.initialise(&random)
    return network
}

func compressed(_ network: Network, _ set: (inout Compression) -> Void) throws -> Network {
    var compression = Compression()
    set(&compression)
    return try compression.applied(to: network, Compute(threads: 2))
}

/// Answers to five images of noise, one after the other.
func outputs(_ network: Network) throws -> [Float] {
    let input = try Batch(samples: 5, shape: network.inputShape)
    var random = Philox(seed: 9, stream: .noise)
    for sample in 0..<5 {
        for i in 0..<input.elements { input[sample, i] = random.nextUniform() - 0.5 }
    }
    let pass = try Pass(network, input: input, Compute(threads: 1))
    pass.forward()
    return (0..<5).flatMap { sample in (0..<pass.output.elements).map { pass.output[sample, $0] } }
}
