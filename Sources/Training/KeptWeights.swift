import Networks
import Numerics

/// Which weights training leaves as they are.
package enum KeptKind: String, CaseIterable {
    case nothing
    case zeros
    case values
}

/// What training leaves of weights that were pruned or are shared: their gradients are made such that any optimiser that works on
/// each weight alone keeps it so, as long as it starts with it.
///
/// Weights that are zero get no gradient. Weights that share a value get the sum of all their gradients, which is the value's own
/// (Han, Mao and Dally, ICLR 2016, section 3.3), so that they stay equal. Which they are, the weights themselves say.
package final class KeptWeights {
    private let kind: KeptKind
    private let weights: [(value: Tensor, gradient: Tensor)]
    /// By weight: which of the values each number of it has, where they are to stay. As of the first step: a run that goes on
    /// gets its weights after this is made.
    private var shares: [Shares] = []

    /// nil where nothing is to be kept.
    package init?(_ kind: KeptKind, of network: Network) {
        guard kind != .nothing else { return nil }
        self.kind = kind
        weights = network.layerWeights.compactMap { parameter in parameter.gradient.map { (parameter.value, $0) } }
    }

    /// Between the backward pass and the optimiser's step.
    /// - Throws: `outOfMemory`.
    package func constrain() throws {
        if kind == .values, shares.isEmpty { shares = try weights.map { try Shares($0.value) } }
        for (value, gradient) in weights {
            for i in 0..<value.count where value[i] == 0 { gradient[i] = 0 }
        }
        for (shares, weight) in zip(shares, weights) { shares.add(weight.gradient) }
    }

    /// After the optimiser's step, which may round the same sum in two ways at two places.
    package func settle() {
        for (shares, weight) in zip(shares, weights) { shares.equalise(weight.value) }
    }
}

/// The numbers of a tensor that are equal.
private struct Shares {
    /// By number.
    private let groups: Indices
    private let sums: Doubles
    /// By group, the place of one of its numbers.
    private let places: Indices

    init(_ tensor: Tensor) throws {
        groups = try Indices(count: tensor.count)
        var known: [Float: Int] = [:]
        for i in 0..<tensor.count {
            let group = known[tensor[i]] ?? known.count
            known[tensor[i]] = group
            groups[i] = group
        }
        sums = try Doubles(count: known.count)
        places = try Indices(count: known.count)
        for i in (0..<tensor.count).reversed() { places[groups[i]] = i }
    }

    /// Gives every number of a gradient the sum of its group's.
    func add(_ gradient: Tensor) {
        for group in 0..<sums.count { sums[group] = 0 }
        for i in 0..<gradient.count { sums[groups.pointer[i]] += Double(gradient[i]) }
        for i in 0..<gradient.count { gradient[i] = Float(sums[groups.pointer[i]]) }
    }

    /// Gives every number of a tensor its group's first.
    func equalise(_ tensor: Tensor) {
        for i in 0..<tensor.count { tensor[i] = tensor[places.pointer[groups.pointer[i]]] }
        tensor.touch()
    }
}
