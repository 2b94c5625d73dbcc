import Networks
import Numerics
import Testing

@testable import Training

@Suite struct KeptWeightsTests {
    /// A network some of whose weights are zero, and others equal.
    private func network() throws -> Network {
        let network = try Network(architecture: "mlp-17-13-5")
        var random = Philox(seed: 4, stream: .weights)
        network.initialise(&random)
        for parameter in network.parameters where parameter.value.shape.rank == 2 {
            for i in 0..<parameter.value.count { parameter.value[i] = [0, 0.25, -0.5, 0, 0.125][random.next(below: 5)] }
        }
        return network
    }

    private func train(_ network: Network, _ kind: KeptKind, _ optimizer: OptimizerKind) throws -> Network {
        let trained = try network.copy()
        let kept = KeptWeights(kind, of: trained)
        let optimizer = try optimizer.make(trained.trainedParameters, weightDecay: 1e-2, momentum: 0.9, Compute(threads: 1))
        var random = Philox(seed: 5, stream: .noise)
        for _ in 0..<20 {
            for parameter in trained.trainedParameters {
                guard let gradient = parameter.gradient else { continue }
                for i in 0..<gradient.count { gradient[i] = random.nextUniform() - 0.5 }
            }
            try kept?.constrain()
            optimizer.step(learningRate: 1e-2)
            kept?.settle()
        }
        return trained
    }

    @Test("Zeros stay zero and other weights learn, with every optimiser", arguments: OptimizerKind.allCases)
    func zeros(optimizer: OptimizerKind) throws {
        let network = try network()
        let trained = try train(network, .zeros, optimizer)
        for (before, after) in zip(network.parameters, trained.parameters) where before.value.shape.rank == 2 {
            for i in 0..<before.value.count { #expect((before.value[i] == 0) == (after.value[i] == 0)) }
            #expect(Set((0..<after.value.count).map { after.value[$0] }).count > 10)
        }
    }

    @Test("Equal weights of a layer stay equal and learn, with every optimiser", arguments: OptimizerKind.allCases)
    func values(optimizer: OptimizerKind) throws {
        let network = try network()
        let trained = try train(network, .values, optimizer)
        for (before, after) in zip(network.parameters, trained.parameters) where before.value.shape.rank == 2 {
            var values: [Float: Set<Float>] = [:]
            for i in 0..<before.value.count { values[before.value[i], default: []].insert(after.value[i]) }
            #expect(values.count == 4 && values.values.allSatisfy { $0.count == 1 })
            #expect(values[0] == [0] && values[0.25] != [0.25])
        }
    }

    @Test("A shared value moves by the sum of its weights' gradients")
    func sums() throws {
        let network = try network()
        let kept = try #require(KeptWeights(.values, of: network))
        let parameter = network.parameters[0], gradient = try #require(parameter.gradient)
        for i in 0..<gradient.count { gradient[i] = Float(i) }
        try kept.constrain()
        for value: Float in [0.25, -0.5, 0.125] {
            let places = (0..<gradient.count).filter { parameter.value[$0] == value }
            let sum = Float(places.reduce(0, +))
            #expect(places.allSatisfy { gradient[$0] == sum })
        }
    }

    @Test("Nothing is kept where nothing is to be")
    func nothing() throws { #expect(KeptWeights(.nothing, of: try network()) == nil) }
}
