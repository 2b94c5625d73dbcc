import Numerics
import Testing

@testable import Networks
@testable import Training

/// What is kept of a network's weights in another form follows every optimiser.
struct ChangedWeightsTests {
    private let compute: Compute
    private let network: Network
    private var random = Philox(seed: 3, stream: .weights)

    init() throws {
        compute = try Compute(threads: 2)
        var graph = Graph("test", input: [16, 8, 8])
        graph.add(.convolution, "conv", ["outputs": 16, "kernel": 3, "padding": 1])
        graph.add(.linear, "fc", ["outputs": 3])
        network = try Network(graph)
        network.initialise(&random)
        let convolution = try #require(network.nodes.first?.layer as? Convolution)
        try #require(WinogradOperation.pays(convolution, upsampling: 1, compute))
    }

    private func batch(_ random: inout Philox) throws -> Batch {
        let batch = try Batch(samples: 16, shape: network.inputShape)
        random.fillNormal(batch)
        return batch
    }

    @Test(arguments: ["adam", "sgd"]) mutating func passesAndPredictorsSeeAStep(name: String) throws {
        let optimizer: any Optimizer = name == "adam"
            ? try Adam(network.trainedParameters, compute)
            : try SGD(network.trainedParameters, momentum: 0.9, weightDecay: 0, compute)
        let images = try batch(&random)
        let pass = try Pass(network, input: images, gradients: .input, compute)
        let predictor = try Predictor(network, compute)
        let (row, outputs) = (try Tensor([16, images.elements]), try Tensor([3]))
        images.store(rows: row.pointer, compute)

        for step in 0..<3 {
            let fresh = try Pass(network, input: images, gradients: .input, compute)
            for pass in [pass, fresh] {
                pass.forward()
                pass.outputGradient?.fill(1)
                pass.backward()
            }
            let (gradient, expected) = (try #require(pass.inputGradient), try #require(fresh.inputGradient))
            #expect((0..<gradient.count).allSatisfy { gradient.pointer[$0] == expected.pointer[$0] }, "step \(step)")
            try predictor.predict(rows: row.pointer, count: 1, outputs: outputs.pointer)
            for k in 0..<3 {
                #expect(pass.output[5, k] == fresh.output[5, k], "step \(step)")
                #expect(abs(outputs[k] - fresh.output[0, k]) < 1e-4, "step \(step)")
            }
            for parameter in network.trainedParameters {
                guard let gradient = parameter.gradient else { continue }
                for i in 0..<gradient.count { gradient[i] = random.nextNormal() }
            }
            optimizer.step(learningRate: 0.1)
        }
    }
}
