/// The channels of a graph's nodes scaled: which belong together, and the attributes that count them. One rule for each
/// kind of node, in `dimensions(of:)`.
///
/// Only nodes that a network could be made of get here, so attributes have the types that their layers read.
package struct WidthScaling {
    typealias Dimension = ChannelGroups.Dimension

    private let graph: Graph
    private let shapes: [String: [Int]]
    private var groups = ChannelGroups()
    private var dimensions: [String: [Dimension]] = [:]
    /// The dimensions that a node's weights have, for nodes that share them.
    private var weights: [String: [Dimension]] = [:]
    private var edits: [(node: Int, attribute: String, value: Edit)] = []

    /// What an attribute becomes: one length or several.
    private enum Edit {
        case length(Dimension)
        case lengths([Dimension])
        case dividing(Dimension, atMost: Int)
    }

    /// - Parameters:
    ///   - graph: without nodes that the output does not depend on.
    ///   - shapes: of what each node puts out, and the input's.
    package init(_ graph: Graph, shapes: [String: [Int]]) {
        (self.graph, self.shapes) = (graph, shapes)
        dimensions[Graph.input] = groups.fixed(graph.inputShape)
        for place in graph.nodes.indices { dimensions[graph.nodes[place].name] = dimensions(of: place) }
        for dimension in dimensions[graph.output ?? graph.last] ?? [] { groups.fix(dimension) }
    }

    func scaled(by width: Double) -> Graph { scaled { Self.size($1, width) } }

    /// How many channels there are at a width of so many.
    package static func size(_ channels: Int, _ width: Double) -> Int { max(1, Int((Double(channels) * width).rounded())) }

    /// - Parameter sizes: how many channels each group is to have, of those it has.
    package func scaled(_ sizes: (_ group: Int, _ length: Int) -> Int) -> Graph {
        var graph = graph
        for edit in edits {
            let value: Attribute =
                switch edit.value {
                case .length(let one): .integer(groups.length(one, sizes))
                case .lengths(let all): .integers(all.map { groups.length($0, sizes) })
                case .dividing(let one, let most): .integer(largestDivisor(of: groups.length(one, sizes), atMost: most))
                }
            graph.nodes[edit.node].attributes[edit.attribute] = value
        }
        return graph
    }

    /// The groups of channels that may become fewer, with how many channels they have.
    package var variableGroups: [Int: Int] { groups.variable }

    /// The channels along each dimension of a node's weights, as far as these have one; nil for a node without weights, and
    /// where the channels cannot be told.
    package func channels(ofWeightsOf node: String) -> [[ChannelGroups.Channel]]? {
        guard let all = weights[node] else { return nil }
        let channels = all.compactMap { groups.channels(of: $0) }
        return channels.count == all.count ? channels : nil
    }

    // MARK: - One rule for each kind

    private mutating func dimensions(of place: Int) -> [Dimension] {
        let node = graph.nodes[place]
        let inputs = node.inputs.map { dimensions[$0] ?? [] }
        let output = shapes[node.name] ?? []
        let first = inputs.first ?? []
        switch node.kind {
        case .convolution, .transposedConvolution: return convolution(place, node, first, output)
        case .linear:
            let outputs = groups.add(output.last ?? 1)
            edits.append((place, "outputs", .length(outputs)))
            share(node, [outputs] + first)
            return first.dropLast(first.count - output.count + 1) + [outputs]

        case .batchNorm, .instanceNorm, .layerNorm: share(node, first)
        case .groupNorm:
            share(node, first)
            if let channels = first.first {
                edits.append((place, "groups", .dividing(channels, atMost: integer(node, "groups", or: 1))))
            }
        case .prelu:
            share(node, first)
            if let channels = first.first, case .integer(let count) = node.attributes["count"], count > 1 {
                edits.append((place, "count", .length(channels)))
            }
        case .units: fix(first)

        case .maxPool, .averagePool, .globalAveragePool, .globalMaxPool, .upsample, .crop:
            return image(first, output)
        case .add, .subtract, .multiply, .divide, .maximum, .minimum: return broadcast(node, inputs, output)
        case .constant:
            // One place may be broadcast, and stays one.
            let all = output.map { groups.add($0, isFixed: $0 == 1) }
            edits.append((place, "shape", .lengths(all)))
            share(node, all)
            return all

        case .concat: return concatenation(node, inputs)
        case .slice: return slice(place, node, first, output)
        case .pad: return padding(place, node, first, output)
        case .transpose:
            let order = integers(node, "order") ?? Array(first.indices.reversed())
            return order.map { first[$0] }
        case .reduceMean, .reduceSum, .reduceMax:
            let axes = integers(node, "axes") ?? Array(first.indices)
            let keeps = node.attributes["keep"] != .flag(false)
            return first.enumerated().flatMap { axis, dimension -> [Dimension] in
                guard axes.contains(axis) else { return [dimension] }
                return keeps ? groups.fixed([1]) : []
            }
        case .flatten: return reshape(shapes[node.inputs[0]] ?? [], first, output)
        case .reshape:
            let all = reshape(shapes[node.inputs[0]] ?? [], first, output)
            edits.append((place, "shape", .lengths(all)))
            return all

        // Of each number alone, or of all along a dimension whatever their number.
        case .relu, .leakyReLU, .elu, .selu, .gelu, .silu, .hardSwish, .sigmoid, .hardSigmoid, .tanh, .softplus,
            .softsign, .mish, .clip, .abs, .sqrt, .exp, .log, .negate, .reciprocal, .erf, .power, .fakeQuantize, .lrn, .dropout, .softmax:
            return first
        }
        return first
    }

    /// Depthwise, it has as many groups as channels; otherwise the groups stay, and their channels are scaled.
    private mutating func convolution(_ place: Int, _ node: Graph.Node, _ first: [Dimension], _ output: [Int]) -> [Dimension] {
        let (outputs, count) = (output[0], integer(node, "groups", or: 1))
        let channels = first[0]
        let inputs = groups.length(channels)
        var dimension = groups.add(outputs, isFixed: true)
        if count == 1 {
            dimension = groups.add(outputs)
        } else if count == inputs, let multiplied = groups.multiplied(channels, by: outputs / inputs) {
            dimension = multiplied
            edits.append((place, "groups", .length(channels)))
        } else if groups.isMultiple(channels, of: count) || groups.share(of: channels, count: count) != nil {
            let share = groups.add(outputs / count)
            dimension = groups.concatenated(Array(repeating: share, count: count))
        } else {
            groups.fix(channels)
        }
        edits.append((place, "outputs", .length(dimension)))
        share(node, [dimension, channels])
        return [dimension] + image(first, output).dropFirst()
    }

    /// Channels stay, and the rest is the image's.
    private mutating func image(_ first: [Dimension], _ output: [Int]) -> [Dimension] {
        fix(first.dropFirst())
        return first.prefix(1) + groups.fixed(output.dropFirst())
    }

    private mutating func broadcast(_ node: Graph.Node, _ inputs: [[Dimension]], _ output: [Int]) -> [Dimension] {
        output.indices.map { axis in
            // Aligned at the end.
            let aligned = inputs.compactMap { dimensions -> Dimension? in
                let i = axis - output.count + dimensions.count
                return i >= 0 ? dimensions[i] : nil
            }
            for single in aligned where groups.length(single) != output[axis] { groups.fix(single) }
            let whole = aligned.filter { groups.length($0) == output[axis] }
            for other in whole.dropFirst() { groups.equate(whole[0], other) }
            return whole.first ?? groups.add(output[axis], isFixed: true)
        }
    }

    private mutating func concatenation(_ node: Graph.Node, _ inputs: [[Dimension]]) -> [Dimension] {
        let (first, axis) = (inputs[0], integer(node, "axis", or: 0))
        for other in inputs.dropFirst() {
            for i in first.indices where i != axis { groups.equate(first[i], other[i]) }
        }
        var all = first
        all[axis] = groups.concatenated(inputs.map { $0[axis] })
        return all
    }

    private mutating func slice(_ place: Int, _ node: Graph.Node, _ first: [Dimension], _ output: [Int]) -> [Dimension] {
        let axis = integer(node, "axis", or: 0)
        let (start, size) = (integer(node, "start", or: 0), output[axis])
        var all = first
        guard integer(node, "step", or: 1) == 1,
            let pieces = groups.pieces(of: first[axis], from: [0, start, start + size])
        else {
            groups.fix(first[axis])
            all[axis] = groups.add(size, isFixed: true)
            return all
        }
        let before = groups.concatenated(start > 0 ? [pieces[0]] : [])
        all[axis] = pieces[start > 0 ? 1 : 0]
        edits.append((place, "start", .length(before)))
        edits.append((place, "size", .length(all[axis])))
        return all
    }

    /// Zeros beside channels are scaled like these; around an image, like it, they are not.
    private mutating func padding(_ place: Int, _ node: Graph.Node, _ first: [Dimension], _ output: [Int]) -> [Dimension] {
        let none = [Int](repeating: 0, count: first.count)
        let (before, after) = (integers(node, "before") ?? none, integers(node, "after") ?? none)
        let isConstant = node.attributes["mode"] == nil || node.attributes["mode"] == .text("constant")
        var (all, starts, ends) = (first, groups.fixed(before), groups.fixed(after))
        for axis in first.indices where before[axis] + after[axis] > 0 {
            if isConstant, !groups.isFixed(first[axis]) {
                let isNone = (before[axis] == 0, after[axis] == 0)
                starts[axis] = isNone.0 ? groups.concatenated([]) : groups.add(before[axis])
                ends[axis] = isNone.1 ? groups.concatenated([]) : groups.add(after[axis])
                all[axis] = groups.concatenated([starts[axis], first[axis], ends[axis]])
            } else {
                groups.fix(first[axis])
                all[axis] = groups.add(output[axis], isFixed: true)
            }
        }
        edits.append((place, "before", .lengths(starts)))
        edits.append((place, "after", .lengths(ends)))
        return all
    }

    // MARK: - Reshaping

    /// Dimensions of `old` and `new` of which as many numbers are one run of the other's.
    private mutating func reshape(_ old: [Int], _ first: [Dimension], _ new: [Int]) -> [Dimension] {
        var result = groups.fixed(new)
        for axis in old.indices where old[axis] == 1 { groups.fix(first[axis]) }
        var (from, to) = (old.indices.filter { old[$0] > 1 }[...], new.indices.filter { new[$0] > 1 }[...])
        while let a = from.popFirst(), let b = to.popFirst() {
            var (sources, targets) = ([a], [b])
            var (products) = (old[a], new[b])
            while products.0 != products.1 {
                if products.0 < products.1 {
                    guard let next = from.popFirst() else { break }
                    sources.append(next)
                    products.0 *= old[next]
                } else {
                    guard let next = to.popFirst() else { break }
                    targets.append(next)
                    products.1 *= new[next]
                }
            }
            let dimensions = reshape(sources.map { first[$0] }, targets.map { new[$0] }, isImage: new.count == 3)
            for (target, dimension) in zip(targets, dimensions) { result[target] = dimension }
        }
        return result
    }

    private mutating func reshape(_ sources: [Dimension], _ targets: [Int], isImage: Bool) -> [Dimension] {
        if sources.count == 1, targets.count == 1 { return sources }
        if targets.count == 1 { return [merged(sources)] }
        if sources.count == 1, let split = split(sources[0], targets, isImage: isImage) { return split }
        fix(sources)
        return groups.fixed(targets)
    }

    /// Several dimensions as one, of which the last runs fastest.
    private func merged(_ sources: [Dimension]) -> Dimension {
        let times = sources.dropFirst().reduce(1) { $0 * groups.length($1) }
        if sources.dropFirst().allSatisfy(groups.isFixed), let merged = groups.multiplied(sources[0], by: times) {
            return merged
        }
        return .product(sources)
    }

    /// One dimension as several: one of them scales, the first when it becomes an image's channels, otherwise the
    /// largest.
    private mutating func split(_ source: Dimension, _ targets: [Int], isImage: Bool) -> [Dimension]? {
        if case .product(let factors) = source { return factors.map { groups.length($0) } == targets ? factors : nil }
        guard !groups.isFixed(source) else { return nil }
        let largest = targets.indices.max { targets[$0] <= targets[$1] && $0 < $1 } ?? 0
        let scaled = isImage ? 0 : largest
        let (outer, inner) = (targets[..<scaled].reduce(1, *), targets[(scaled + 1)...].reduce(1, *))
        guard let share = groups.share(of: source, count: outer), let channels = groups.quotient(share, by: inner) else {
            return nil
        }
        var result = groups.fixed(targets)
        result[scaled] = channels
        return result
    }

    // MARK: - Support

    private mutating func fix(_ all: some Sequence<Dimension>) {
        for dimension in all { groups.fix(dimension) }
    }

    /// Nodes that share weights have the same dimensions.
    private mutating func share(_ node: Graph.Node, _ mine: [Dimension]) {
        weights[node.name] = mine
        guard case .text(let owner) = node.attributes["weights_of"], let theirs = weights[owner] else { return }
        if mine.count == theirs.count {
            for (a, b) in zip(mine, theirs) { groups.equate(a, b) }
        } else {
            fix(mine + theirs)
        }
    }

    private func integer(_ node: Graph.Node, _ key: String, or initial: Int) -> Int {
        guard case .integer(let value) = node.attributes[key] else { return initial }
        return value
    }

    private func integers(_ node: Graph.Node, _ key: String) -> [Int]? {
        switch node.attributes[key] {
        case .integers(let values): values
        case .integer(let value): [value]
        default: nil
        }
    }

    private func largestDivisor(of number: Int, atMost most: Int) -> Int {
        (1...max(1, most)).last { number % $0 == 0 } ?? 1
    }
}
