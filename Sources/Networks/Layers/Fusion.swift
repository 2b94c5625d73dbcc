import Numerics

/// A layer that can do the next one's work along with its own, so that what lies between them is never stored.
///
/// A `Pass` asks it when nothing else reads that output. The network's nodes and parameters stay as they are.
protocol FusibleLayer: Layer {
    /// One layer that does the work of both, or nil.
    func fused(with next: any Layer, _ compute: Compute) -> (any Layer)?
}

/// The steps in which a network is computed: its nodes, neighbours fused where that pays.
struct FusedStep {
    let layer: any Layer
    let inputs: [Int]
    /// The node whose output this step computes.
    let node: Int

    /// - Parameter watching: nodes whose outputs someone else reads too.
    static func steps(of network: Network, watching: [Int] = [], _ compute: Compute) -> [FusedStep] {
        var readers = [Int](repeating: 0, count: network.nodes.count)
        for node in network.nodes {
            for input in node.inputs where input != Network.input { readers[input] += 1 }
        }
        if let feature = network.featureNode { readers[feature] += 1 }
        for node in watching { readers[node] += 1 }

        var steps: [FusedStep] = []
        for (index, node) in network.nodes.enumerated() {
            if let previous = steps.last, node.inputs == [previous.node], readers[previous.node] == 1,
                let layer = (previous.layer as? any FusibleLayer)?.fused(with: node.layer, compute)
            {
                steps[steps.count - 1] = FusedStep(layer: layer, inputs: previous.inputs, node: index)
            } else {
                steps.append(FusedStep(layer: node.layer, inputs: node.inputs, node: index))
            }
        }
        return steps
    }
}
