import Networks
import Numerics

extension Subject {
    /// One node, of the negative of the network's input: what it reads and writes lies in memory that the pass shares out.
    static func sole(
        _ kind: LayerKind, _ input: [Int], _ attributes: [String: Attribute] = [:], name: String = "layer",
        samples: Int = 18, reference: @escaping @Sendable (Rows, Weights) -> Rows
    ) -> Subject {
        Subject(
            testDescription: "\(kind.rawValue) of \(input), \(attributes.map { "\($0): \($1)" }.sorted())",
            input: input, samples: samples,
            nodes: {
                $0.add(.negate)
                $0.add(kind, name, attributes)
                $0.add(.negate)
            },
            reference: { x, weights in [reference(x.map { -$0 }, weights).map { -$0 }] })
    }
}

/// What a network of one node makes of one sample, without batches.
func output(
    _ kind: LayerKind, _ input: [Int], _ attributes: [String: Attribute] = [:], of numbers: [Double],
    weights: [String: [Double]] = [:]
) throws -> [Double] {
    let network = try Network(input) { $0.add(kind, "layer", attributes) }
    for (name, values) in weights {
        guard let parameter = network.parameter(named: "layer.\(name)") else { continue }
        for (i, value) in values.enumerated() { parameter.value[i] = Float(value) }
    }
    let pass = try Pass(network, input: Rows(samples: 1, input, numbers).batch(), Compute(threads: 1))
    pass.forward()
    return Rows(pass.output).values
}
