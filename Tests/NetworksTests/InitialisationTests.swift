import Networks
import Numerics
import Testing

@Suite struct InitialisationTests {
    /// As PyTorch's layers: uniform in ±1/sqrt(fan-in), the bias too.
    @Test(arguments: ["lenet5", "mlp-300-50-10", "dafl-generator(width=16,side=16)"])
    func weightsAreUniformWithinOneOverTheRootOfTheFanIn(architecture: String) throws {
        let network = try Network(architecture: architecture, seed: 3)
        var fanIn = 1
        for parameter in network.trainedParameters where !parameter.name.hasPrefix("bn") {
            let shape = parameter.value.shape
            if parameter.name.hasSuffix("weight") { fanIn = shape.count / shape[0] }
            let bound = 1 / Double(fanIn).squareRoot()
            let scaled = parameter.value.doubles.map { $0 / bound }
            #expect(scaled.allSatisfy { abs($0) <= 1.000001 }, "\(parameter.name)")
            #expect(Set(scaled).count > scaled.count * 9 / 10, "\(parameter.name)")
            guard scaled.count >= 100 else { continue }
            let deviations = 5 / Double(scaled.count).squareRoot()
            #expect(abs(scaled.reduce(0, +) / Double(scaled.count)) < 0.577 * deviations, "\(parameter.name)")
            let square = scaled.reduce(0) { $0 + $1 * $1 } / Double(scaled.count)
            #expect(abs(square - 1 / 3) < 0.298 * deviations, "\(parameter.name)")
        }
    }

    @Test func batchNormStartsAsTheIdentity() throws {
        let network = try Network(architecture: "dafl-generator(width=4,side=8)", seed: 1)
        for parameter in network.parameters where parameter.name.hasPrefix("bn") {
            let one = parameter.name.hasSuffix("weight") || parameter.name.hasSuffix("running_var")
            #expect(parameter.value.doubles.allSatisfy { $0 == (one ? 1 : 0) }, "\(parameter.name)")
        }
    }

    @Test func theSeedDecidesTheWeights() throws {
        func weights(_ seed: UInt64) throws -> [[Double]] {
            try Network(architecture: "lenet5-half", seed: seed).parameters.map(\.value.doubles)
        }
        #expect(try weights(5) == weights(5))
        for (a, b) in try zip(weights(5), weights(6)) { #expect(a != b) }
    }
}
