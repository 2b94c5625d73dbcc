import Numerics
import Testing

@testable import Networks

struct WatchingTests {
    private let compute: Compute
    private let network: Network
    private let images: Batch

    init() throws {
        compute = try Compute(threads: 1)
        var graph = Graph("watched", input: [2, 6, 6])
        graph.add(.convolution, "first", ["outputs": 3, "kernel": 3])
        graph.add(.batchNorm, "norm")
        graph.add(.relu, "relu")
        graph.add(.flatten, "flat")
        graph.add(.linear, "fc", ["outputs": 4])
        network = try Network(graph)
        var random = Philox(seed: 3, stream: .samples)
        network.initialise(&random)
        images = try Batch(samples: 5, shape: Shape([2, 6, 6]))
        random.fillNormal(images)
    }

    /// Whether it would otherwise be computed along with its neighbour or not.
    @Test(arguments: [0, 1, 2, 3, 4]) func aWatchedNodeShowsItsOutput(node: Int) throws {
        let plain = try Pass(network, input: images, gradients: .weights, compute)
        let watching = try Pass(network, input: images, gradients: .weights, watching: [node], compute)
        plain.forward()
        watching.forward()
        #expect(watching.watched.count == 1 && watching.watched[0].shape == network.nodes[node].outputShape)
        for sample in 0..<5 {
            for k in 0..<4 { #expect(abs(plain.output[sample, k] - watching.output[sample, k]) < 1e-5) }
        }
        let positive = (0..<watching.watched[0].elements).allSatisfy { watching.watched[0][0, $0] >= 0 }
        #expect(positive || ![2, 3].contains(node))
    }

    /// A gradient given within leads on to the layers before, beside the one by the output.
    @Test func gradientsWithinAreAdded() throws {
        let pass = try Pass(network, input: images, gradients: .weights, watching: [2], compute)
        let weight = try #require(network.parameter(named: "first.weight"))
        func value() -> Float {
            pass.forward()
            return (0..<5).reduce(0) { sum, i in
                sum + pass.output[i, 1] + (0..<pass.watched[0].elements).reduce(0) { $0 + 0.1 * pass.watched[0][i, $1] }
            }
        }
        _ = value()
        for i in 0..<5 {
            pass.outputGradient?[i, 1] = 1
            for k in 0..<pass.watched[0].elements { pass.watchedGradients[0][i, k] = 0.1 }
        }
        pass.backward()
        let slope = try #require(weight.gradient)[4], step: Float = 2e-3, start = weight.value[4]
        weight.value[4] = start + step
        let above = value()
        weight.value[4] = start - step
        #expect(abs((above - value()) / (2 * step) - slope) < 0.05 * max(1, abs(slope)))
    }
}
