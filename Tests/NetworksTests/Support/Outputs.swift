import Networks
import Numerics
import Testing

extension Network {
    /// What it puts out in inference for the same standard normal inputs as any network of its input shape.
    func outputs(samples: Int = 2) throws -> Rows {
        var random = Philox(seed: 5, stream: .check)
        let input = try Rows(samples: samples, inputShape.dimensions, from: &random).batch()
        let pass = try Pass(self, input: input, Compute(threads: 1))
        pass.forward()
        return Rows(pass.output)
    }

    /// Weights as new ones are, but from a few thousand random numbers over and over: of large networks, sooner there.
    func drawQuickly() {
        var random = Philox(seed: 6, stream: .check)
        let numbers = (0..<4093).map { _ in random.nextSymmetric() }
        for parameter in parameters {
            guard case .uniform(let fanIn) = parameter.initial else { continue }
            let scaled = numbers.map { $0 / Float(fanIn).squareRoot() }
            for start in stride(from: 0, to: parameter.value.count, by: scaled.count) {
                let count = min(scaled.count, parameter.value.count - start)
                (parameter.value.pointer + start).update(from: scaled, count: count)
            }
        }
    }
}

func expectFiniteOutputs(of network: Network, sourceLocation: SourceLocation = #_sourceLocation) throws {
    let values = try network.outputs().values
    let (areFinite, areZero) = (values.allSatisfy { $0.isFinite }, values.allSatisfy { $0 == 0 })
    #expect(areFinite && !areZero, "\(network.name)", sourceLocation: sourceLocation)
}
