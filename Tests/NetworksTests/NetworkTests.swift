import Dispatch
import Numerics
import Testing

@testable import Networks

@Suite struct NetworkTests {
    @Test func aCopyIsIndependent() throws {
        var random = Philox(seed: 1, stream: .check)
        let network = try Network(architecture: "dafl-generator(width=4,side=8,latent=3)", seed: 1)
        network.drawParameters(&random)
        let weights = network.parameters.map(\.value.doubles)
        let copy = try network.copy()
        #expect(copy.architecture == network.architecture)
        #expect(copy.parameters.map(\.value.doubles) == weights)
        for parameter in network.parameters { parameter.value.fill(9) }
        #expect(copy.parameters.map(\.value.doubles) == weights)
        for parameter in copy.parameters { parameter.value.fill(7) }
        #expect(network.parameters.allSatisfy { $0.value.doubles.allSatisfy { $0 == 9 } })
    }

    @Test func oneWeightThatIsNotFiniteIsSeen() throws {
        let network = try Network(architecture: "dafl-generator(width=4,side=8,latent=3)", seed: 1)
        #expect(network.isFinite)
        for parameter in network.parameters {
            let last = parameter.value.count - 1
            parameter.value[last] = .nan
            #expect(!network.isFinite)
            parameter.value[last] = 0
        }
        #expect(network.isFinite)
    }

    static let architectures = ["lenet5-half", "mlp-30-20-10", "dafl-generator(width=8,side=8,latent=10)"]

    /// Output and every gradient, after forward and backward for random data.
    private func results(_ architecture: String, threads: Int, rounds: Int = 1) throws -> [[UInt32]] {
        let network = try Network(architecture: architecture, seed: 1)
        let pass = try Pass(
            network, input: Batch(samples: 35, shape: network.inputShape), gradients: [.weights, .input],
            Compute(threads: threads))
        for _ in 0..<rounds {
            var random = Philox(seed: 2, stream: .check)
            random.fillNormal(pass.input)
            if let gradient = pass.outputGradient { random.fillNormal(gradient) }
            pass.forward(training: true)
            pass.backward()
        }
        let batches = [pass.output, pass.inputGradient].compactMap { $0 }
        return batches.map { batch in (0..<batch.count).map { batch.pointer[$0].bitPattern } }
            + network.trainedParameters.compactMap(\.gradient).map { gradient in
                (0..<gradient.count).map { gradient[$0].bitPattern }
            }
    }

    @Test(arguments: architectures, [1, 2, 3]) func theSameThreadsGiveTheSameBits(architecture: String, threads: Int)
        throws
    {
        let first = try results(architecture, threads: threads)
        #expect(try results(architecture, threads: threads) == first)
        #expect(try results(architecture, threads: threads, rounds: 2) == first)
    }

    @Test func networksInDifferentThreadsDoNotDisturbEachOther() throws {
        let alone = try Self.architectures.map { try results($0, threads: 2) }
        let outcomes = Outcomes(6)
        DispatchQueue.concurrentPerform(iterations: 6) { i in
            outcomes.set(i, try? results(Self.architectures[i % 3], threads: 2, rounds: 3))
        }
        for i in 0..<6 { #expect(outcomes[i] == alone[i % 3]) }
    }

    /// Nothing that a pass leaves in its memory counts in the next.
    @Test(arguments: architectures) func passesCanBeRepeated(architecture: String) throws {
        let network = try Network(architecture: architecture, seed: 1)
        let pass = try Pass(
            network, input: Batch(samples: 5, shape: network.inputShape), gradients: [.weights, .input],
            Compute(threads: 2))
        var random = Philox(seed: 2, stream: .check)
        random.fillNormal(pass.input)
        random.fillNormal(try #require(pass.outputGradient))
        func gradients() throws -> [[Double]] {
            network.spoilGradients()
            pass.memory.spoil()
            pass.forward(training: true)
            pass.backward()
            return try [Rows(#require(pass.inputGradient)).values]
                + network.trainedParameters.map { try #require($0.gradient).doubles }
        }
        let first = try gradients()
        #expect(try gradients() == first)
    }

    @Test func onlyTheGradientsAskedForExist() throws {
        let network = try Network(architecture: "lenet5-half", seed: 1)
        let (input, compute) = (try Batch(samples: 2, shape: network.inputShape), try Compute(threads: 1))
        let plain = try Pass(network, input: input, compute)
        #expect(plain.outputGradient == nil && plain.inputGradient == nil && plain.featuresGradient == nil)
        let weights = try Pass(network, input: input, gradients: .weights, compute)
        #expect(weights.outputGradient != nil && weights.inputGradient == nil)
        let images = try Pass(network, input: input, gradients: .input, compute)
        #expect(images.inputGradient?.shape == network.inputShape)
        #expect(images.featuresGradient?.shape == network.featureShape)

        for parameter in network.trainedParameters { parameter.gradient?.fill(3) }
        images.forward()
        images.backward()
        #expect(network.trainedParameters.allSatisfy { $0.gradient?.doubles.allSatisfy { $0 == 3 } ?? false })
    }

    @Test func anInputOfAnotherSizeIsInvalid() throws {
        let network = try Network(architecture: "lenet5", seed: 1)
        let input = try Batch(samples: 2, shape: Shape([1, 28, 28]))
        let error = #expect(throws: DaflError.self) { try Pass(network, input: input, Compute(threads: 1)) }
        #expect(error?.status == .invalidArgument)
    }

    @Test func layersRefuseInputsThatDoNotFit() throws {
        let refusals: [(LayerKind, [String: Attribute], [[Int]])] = [
            (.convolution, ["outputs": 1, "kernel": 3], [[2, 2, 5], [2, 5, 2], [2]]),
            (.maxPool, ["window": 3], [[1, 2, 5], [1, 5, 2], [9]]),
            (.reshape, ["shape": [2, 3]], [[5], [7]]),
            (.units, ["count": 2], [[3, 2, 2], [1]]),
        ]
        for (kind, attributes, inputs) in refusals {
            for input in inputs {
                let error = try #require(throws: DaflError.self) { try Network(input) { $0.add(kind, attributes) } }
                #expect(error.status == .invalidArgument)
            }
            #expect(throws: DaflError.self) { try Network([2, 9, 9]) { $0.add(kind, inputs: [], attributes) } }
        }
    }

    /// One answer for each thread.
    private final class Outcomes: @unchecked Sendable {
        private let outcomes: UnsafeMutableBufferPointer<[[UInt32]]?>
        init(_ count: Int) {
            outcomes = .allocate(capacity: count)
            outcomes.initialize(repeating: nil)
        }
        deinit {
            outcomes.deinitialize()
            outcomes.deallocate()
        }
        subscript(index: Int) -> [[UInt32]]? { outcomes[index] }
        func set(_ index: Int, _ outcome: [[UInt32]]?) { outcomes[index] = outcome }
    }
}
