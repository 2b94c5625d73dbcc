import Networks
import Numerics

/// Linear layers and convolutions each as two thinner ones, by the singular values of their weights.
///
/// Denton, Zaremba, Bruna, LeCun and Fergus, "Exploiting linear structure within convolutional networks for efficient
/// evaluation", NIPS 2014; columns and rows of kernels as in Jaderberg, Vedaldi and Zisserman, "Speeding up convolutional neural
/// networks with low rank expansions", BMVC 2014.
struct LowRank {
    /// How far to go.
    enum Goal {
        case rank(Int)
        /// The share of each layer's squared singular values that is kept.
        case energy(Double)
        /// The share of the network's multiply-adds that is kept.
        case multiplyAdds(Double)
    }

    /// What a layer may become.
    private struct Layer {
        /// In the network.
        let node: Int
        let cost: Int
        let forms: [LayerFactors]

        /// The form that loses the least at a rank that is chosen for each; nil where none is cheaper than the layer as it is.
        func best(_ rank: (LayerFactors) -> Int) -> Choice? {
            forms.map { Choice(factors: $0, rank: rank($0)) }.filter { $0.cost < cost }
                .min { ($0.loss, $0.cost) < ($1.loss, $1.cost) }
        }

        /// What has the smallest sum of what it loses and what it costs; nil for the layer as it is.
        func cheapest(_ price: Double) -> Choice? {
            var (least, choice) = (price * Double(cost), Choice?.none)
            for factors in forms {
                for rank in factors.ranks where factors.cost(rank) < cost {
                    let sum = factors.loss(rank) + price * Double(factors.cost(rank))
                    if sum < least { (least, choice) = (sum, Choice(factors: factors, rank: rank)) }
                }
            }
            return choice
        }
    }

    /// A layer's two, and how much of them there is.
    private struct Choice {
        let factors: LayerFactors
        let rank: Int
        var cost: Int { factors.cost(rank) }
        var loss: Double { factors.loss(rank) }
        /// By one unit; nil at the full rank.
        var larger: Choice? { rank < factors.ranks.upperBound ? Choice(factors: factors, rank: rank + 1) : nil }
    }

    private let network: Network
    private let layers: [Layer]

    /// Finds the singular values of all weights, which is what takes time.
    /// - Throws: `unsupported` for a network without layers that can be factorised, `outOfMemory`, and what `onProgress` throws.
    init(_ network: Network, _ compute: Compute, _ onProgress: (Double) throws -> Void) throws {
        self.network = network
        let matrices = network.nodes.indices.map { network.weightMatrices(of: $0) }
        let work = matrices.joined().reduce(0) { $0 + $1.work }
        var done = 0.0
        var layers: [Layer] = []
        for (node, matrices) in matrices.enumerated() where !matrices.isEmpty {
            let forms = try matrices.map { matrix in
                let values = try SingularValues(
                    rows: matrix.rows, columns: matrix.columns, compute, onSweep: { try onProgress(min(1, done / work)) }, matrix.element)
                done += matrix.work
                return LayerFactors(matrix.form, values, unitCost: matrix.unitCost)
            }
            let inputs = network.shapes(of: network.nodes[node].inputs)
            let cost = network.nodes[node].layer.multiplyAdds(inputs, output: network.nodes[node].outputShape)
            layers.append(Layer(node: node, cost: cost, forms: forms))
        }
        guard !layers.isEmpty else {
            throw DaflError(.unsupported, "the network \(network.name) has no linear layer or convolution with weights of its own")
        }
        self.layers = layers
    }

    /// - Throws: `invalidArgument` when the goal cannot be reached, `outOfMemory`.
    func network(_ goal: Goal) throws -> Network {
        switch goal {
        case .rank(let rank):
            return try network(layers.map { $0.best { factors in min(rank, factors.ranks.upperBound) } })
        case .energy(let share):
            return try network(layers.map { $0.best { factors in factors.rank(losing: 1 - share) } })
        case .multiplyAdds(let share):
            return share == 1 ? try network.copy() : try network(choices(multiplyAdds: share))
        }
    }

    /// Of all ways to spend so many multiply-adds, the one that loses the least: for a price of a multiply-add, each layer takes
    /// what is best for itself, and the price is the lowest at which all together stay within the limit.
    private func choices(multiplyAdds share: Double) throws -> [Choice?] {
        let limit = Int(share * Double(network.multiplyAdds))
        let others = network.multiplyAdds - layers.reduce(0) { $0 + $1.cost }
        func choices(at price: Double) -> [Choice?] { layers.map { $0.cheapest(price) } }
        func total(_ choices: [Choice?]) -> Int { zip(layers, choices).reduce(others) { $0 + ($1.1?.cost ?? $1.0.cost) } }
        guard total(choices(at: 0)) > limit else { return choices(at: 0) }
        var (low, high) = (0.0, 1.0)  // a multiply-add for all that a layer has
        guard total(choices(at: high)) <= limit else {
            let least = Double(total(choices(at: high))) / Double(network.multiplyAdds)
            throw DaflError.invalid("multiply_adds", share, "at least \(least) for this network")
        }
        for _ in 0..<Self.bisections {
            let middle = low == 0 ? high / 16 : (low * high).squareRoot()
            if total(choices(at: middle)) <= limit { high = middle } else { low = middle }
            if low == 0, high < Self.lowestPrice { break }
        }
        return filled(choices(at: high), limit - total(choices(at: high)))
    }

    /// The same, with what is left spent unit by unit where it saves the most: a layer's best choices at two prices close to each
    /// other can lie far apart.
    private func filled(_ choices: [Choice?], _ left: Int) -> [Choice?] {
        var (choices, left) = (choices, left)
        while true {
            let gains = choices.indices.compactMap { layer -> (layer: Int, larger: Choice, gain: Double)? in
                guard let choice = choices[layer], let larger = choice.larger, larger.cost - choice.cost <= left,
                    larger.cost < layers[layer].cost
                else { return nil }
                return (layer, larger, (choice.loss - larger.loss) / Double(larger.cost - choice.cost))
            }
            guard let best = gains.max(by: { $0.gain < $1.gain }), best.gain > 0 else { return choices }
            left -= best.larger.cost - (choices[best.layer]?.cost ?? 0)
            choices[best.layer] = best.larger
        }
    }

    private static let bisections = 100
    private static let lowestPrice = 1e-30

    /// Makes up for what factors lose, by what images show: see `Network.refit`. A layer that is two has its second fitted.
    /// - Parameter network: what `network(_:)` made.
    func refit(_ result: Network, _ images: CalibrationImages, _ compute: Compute) throws {
        let layers = network.nodes.filter { node in
            // What a normalisation follows, and so has no bias of its own, is left to it.
            guard !network.graph.sharingNodes.contains(node.name), node.layer.parameters.count == 2 else { return false }
            switch node.layer {
            case let layer as Convolution: return layer.geometry.groups == 1
            case let layer as Linear: return layer.positions == 1 && node.outputShape.rank == 1
            default: return false
            }
        }
        try images.inBatches(of: network.inputShape, compute) { batch, batches, load in
            try result.refit(
                layers.map { ($0.name, Array(0..<$0.layer.parameters[0].value.shape[0])) }, to: network, batches: batches,
                teacher: batch, own: batch, compute, load)
        }
    }

    /// The network with these layers factorised; nil for those that stay.
    private func network(_ choices: [Choice?]) throws -> Network {
        let chosen = Dictionary(uniqueKeysWithValues: zip(layers, choices).compactMap { layer, choice in choice.map { (layer.node, $0) } })
        guard !chosen.isEmpty else {
            throw DaflError(.unsupported, "no layer of the network \(network.name) becomes cheaper so")
        }
        var graph = network.graph
        var firsts: [Int: String] = [:]
        for (index, choice) in chosen.sorted(by: { $0.key < $1.key }) {
            let name = network.nodes[index].name
            guard let place = graph.nodes.firstIndex(where: { $0.name == name }) else { continue }
            let first = graph.unused("\(name)_factor")
            firsts[index] = first
            graph.nodes[place...place] = network.nodes[index].factorised(
                graph.nodes[place], as: choice.factors.form, first: first, rank: choice.rank)[...]
        }
        let result = try Network(graph)
        result.loadWeights(of: network)
        for (index, first) in firsts {
            guard let choice = chosen[index], let one = result.parameter(named: "\(first).weight")?.value,
                let two = result.parameter(named: "\(network.nodes[index].name).weight")?.value
            else { continue }
            for i in 0..<choice.rank {
                let (row, column) = choice.factors.vectors(i)
                for (k, value) in row.enumerated() { one[i * row.count + k] = Float(value) }
                choice.factors.form.writeColumn(column, i, of: choice.rank, outputs: two.shape[0], to: two)
            }
            one.touch()
            two.touch()
        }
        return result
    }
}
