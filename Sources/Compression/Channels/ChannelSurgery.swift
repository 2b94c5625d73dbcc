import Networks
import Numerics

/// A network with some of its channels taken out, of which others take over the work: neurons of linear layers are channels too.
///
/// Channels that are added up or normalised together go together, as groups. What layers made of a channel that goes, they make
/// of the one that takes its place, times a factor.
struct ChannelSurgery {
    typealias Channel = ChannelGroups.Channel

    /// Which channels of a group stay, and of those that go, which one takes over and how much of it there is in the other.
    struct Plan {
        /// In rising order; at least one.
        var kept: [Int]
        /// By the channel that goes. One that is missing has no successor.
        var successors: [Int: (channel: Int, factor: Double)] = [:]
    }

    /// A convolution or linear layer, and the channels of its weights.
    private struct Layer {
        let name: String
        let outputs: [Channel]
        let inputs: [Channel]
    }

    /// With batch normalisations folded.
    private let network: Network
    private let scaling: WidthScaling
    private var layers: [Layer] = []
    /// Layers that work on each channel alone, with weights for each.
    private var followers: [(name: String, channels: [Channel])] = []
    /// The groups that may lose channels, with how many they have, those of layers at the front first.
    let groups: [(id: Int, size: Int)]

    /// - Throws: `unsupported` for a network with layers of which it is not told how channels go through them, or without channels
    ///   that could go.
    init(_ whole: Network) throws {
        let folded = try whole.foldingBatchNorms()
        let graph = try folded.graph.needed()
        network = try Network(graph)
        network.loadWeights(of: folded)
        scaling = WidthScaling(graph, shapes: try graph.shapes())
        func refuse(_ node: Network.Node) -> DaflError {
            DaflError(
                .unsupported,
                "channels cannot be taken out of the network \(whole.name): not told how they go through \"\(node.name)\"")
        }
        // Without weights, and yet of all channels together: fewer would change what it makes of the others.
        let last = network.nodes.last?.name
        if let mixing = network.nodes.first(where: { $0.mixesChannels && !($0.kind == .softmax && $0.name == last) }) {
            throw refuse(mixing)
        }
        let sharing = graph.sharingNodes
        for node in network.nodes where !node.layer.parameters.isEmpty && node.kind != .units {
            guard !sharing.contains(node.name), let all = scaling.channels(ofWeightsOf: node.name), let first = all.first else {
                throw refuse(node)
            }
            switch node.layer {
            // Behind the channels that it reads, an image's pixels are no channels.
            case let layer as Convolution where layer.geometry.groups == 1:
                layers.append(Layer(name: node.name, outputs: first, inputs: all[1]))
            case let layer as Linear where layer.positions == 1:
                layers.append(Layer(name: node.name, outputs: first, inputs: all[1]))
            case let layer as Convolution where layer.geometry.groups == layer.geometry.inputs && layer.geometry.outputs == layer.geometry.inputs:
                followers.append((node.name, first))
            case is BatchNorm, is PReLU: followers.append((node.name, first))
            default: throw refuse(node)
            }
        }
        // Of a group that no layer makes, or that none reads, nothing can be told.
        let variable = scaling.variableGroups
        let (made, read) = (Set(layers.flatMap(\.outputs).map(\.group)), Set(layers.flatMap(\.inputs).map(\.group)))
        var order: [Int] = []
        for group in layers.flatMap(\.outputs).map(\.group) where !order.contains(group) { order.append(group) }
        groups = order.compactMap { group in
            guard let size = variable[group], size > 1, made.contains(group), read.contains(group) else { return nil }
            return (group, size)
        }
        guard !groups.isEmpty else {
            throw DaflError(.unsupported, "the network \(whole.name) has no channels between its layers that could be fewer")
        }
    }

    /// Whether what follows a layer hands on a multiple of a number as the same multiple, for factors of 0 or more: as long as it
    /// does, a channel can stand for another that is a multiple of it.
    var isHomogeneous: Bool {
        network.nodes.allSatisfy { node in
            switch node.kind {
            case .convolution, .linear, .relu, .leakyReLU, .prelu, .maxPool, .averagePool, .globalAveragePool, .globalMaxPool, .flatten,
                .reshape, .add, .subtract, .concat, .dropout, .upsample, .crop, .transpose, .units:
                true
            default: false
            }
        }
    }

    /// Whether all that is done with the group's channels is done alike: no layer has weights for each alone.
    func isUniform(_ group: Int) -> Bool { !followers.contains { $0.channels.contains { $0.group == group } } }

    /// For each channel of a group, the weights that make it, with the bias.
    func incoming(_ group: (id: Int, size: Int)) throws -> DoubleRows {
        let makers = layers.filter { $0.outputs.contains { $0.group == group.id } }
        let rows = makers.map { weight($0).count / $0.outputs.count + 1 }
        let result = try DoubleRows(count: group.size, length: rows.reduce(0, +))
        var start = 0
        for (layer, row) in zip(makers, rows) {
            let (weight, bias) = (weight(layer), network.parameter(named: "\(layer.name).bias")?.value)
            for (output, channel) in layer.outputs.enumerated() where channel.group == group.id {
                for i in 0..<row - 1 { result[channel.index, start + i] = Double(weight[output * (row - 1) + i]) }
                result[channel.index, start + row - 1] = Double(bias?[output] ?? 0)
            }
            start += row
        }
        return result
    }

    /// For each channel of a group, the weights with which layers read it.
    func outgoing(_ group: (id: Int, size: Int)) throws -> DoubleRows {
        let readers = layers.filter { $0.inputs.contains { $0.group == group.id } }
        var columns = [[(layer: Int, range: Range<Int>, outputs: Int, row: Int)]](repeating: [], count: group.size)
        for (i, layer) in readers.enumerated() {
            let row = weight(layer).count / layer.outputs.count
            for (channel, range) in zip(layer.inputs, ranges(layer)) where channel.group == group.id {
                columns[channel.index].append((i, range, layer.outputs.count, row))
            }
        }
        let length = columns.map { $0.reduce(0) { $0 + $1.range.count * $1.outputs } }.max() ?? 0
        let result = try DoubleRows(count: group.size, length: length)
        for (channel, pieces) in columns.enumerated() {
            var place = 0
            for piece in pieces {
                let weight = weight(readers[piece.layer])
                for output in 0..<piece.outputs {
                    for i in piece.range {
                        result[channel, place] = Double(weight[output * piece.row + i])
                        place += 1
                    }
                }
            }
        }
        return result
    }

    /// The network with these plans for its groups; groups without one stay.
    func network(_ plans: [Int: Plan]) throws -> Network {
        let graph = scaling.scaled { group, size in plans[group]?.kept.count ?? size }
        let result = try Network(graph)
        result.loadWeights(of: network)
        func isKept(_ channel: Channel) -> Bool { plans[channel.group]?.kept.contains(channel.index) ?? true }
        for layer in layers {
            guard let narrow = result.parameter(named: "\(layer.name).weight")?.value else { continue }
            let kept = layer.outputs.indices.filter { isKept(layer.outputs[$0]) }
            let columns = columns(layer, plans)
            let (weight, row) = (weight(layer), weight(layer).count / layer.outputs.count)
            for (new, output) in kept.enumerated() {
                for (i, sources) in columns.enumerated() {
                    let sum = sources.reduce(0) { $0 + $1.factor * Double(weight[output * row + $1.place]) }
                    narrow[new * columns.count + i] = Float(sum)
                }
            }
            narrow.touch()
            if let bias = network.parameter(named: "\(layer.name).bias")?.value { result.load(rows: kept, of: bias, "\(layer.name).bias") }
        }
        for (name, channels) in followers {
            let kept = channels.indices.filter { isKept(channels[$0]) }
            for parameter in network.parameters where parameter.name.hasPrefix("\(name).") && parameter.value.count >= channels.count {
                result.load(rows: kept, of: parameter.value, parameter.name)
            }
        }
        return result
    }

    private func weight(_ layer: Layer) -> Tensor {
        guard let weight = network.parameter(named: "\(layer.name).weight")?.value else { preconditionFailure("a layer has weights") }
        return weight
    }

    /// Where in a row of a layer's weights each of its input channels lies.
    private func ranges(_ layer: Layer) -> [Range<Int>] {
        let times = layer.inputs.reduce(0) { $0 + $1.times }
        let taps = weight(layer).count / layer.outputs.count / times
        var start = 0
        return layer.inputs.map { channel in
            defer { start += channel.times * taps }
            return start..<start + channel.times * taps
        }
    }

    /// For each place of a narrower layer's row, the places of the whole layer's that it is the sum of.
    private func columns(_ layer: Layer, _ plans: [Int: Plan]) -> [[(place: Int, factor: Double)]] {
        let ranges = ranges(layer)
        var columns: [[(place: Int, factor: Double)]] = []
        var starts: [Int: Int] = [:]  // of a kept input, in `columns`
        for (input, channel) in layer.inputs.enumerated() where plans[channel.group]?.kept.contains(channel.index) ?? true {
            starts[input] = columns.count
            columns += ranges[input].map { [($0, 1)] }
        }
        for (input, channel) in layer.inputs.enumerated() where starts[input] == nil {
            guard let successor = plans[channel.group]?.successors[channel.index] else { continue }
            // A layer can read a group several times: the same time of the one as of the other.
            func places(of index: Int) -> [Int] {
                layer.inputs.indices.filter { layer.inputs[$0].group == channel.group && layer.inputs[$0].index == index }
            }
            guard let time = places(of: channel.index).firstIndex(of: input), let start = starts[places(of: successor.channel)[time]]
            else { continue }
            for (i, place) in ranges[input].enumerated() { columns[start + i].append((place, successor.factor)) }
        }
        return columns
    }
}

extension Network {
    /// Sets a parameter to some of another's rows.
    fileprivate func load(rows: [Int], of whole: Tensor, _ name: String) {
        guard let narrow = parameter(named: name)?.value else { return }
        let size = narrow.count / rows.count
        for (new, row) in rows.enumerated() {
            for i in 0..<size { narrow[new * size + i] = whole[row * size + i] }
        }
        narrow.touch()
    }
}

extension Network.Node {
    /// Whether what it makes of a channel depends on the others, without weights that say how.
    fileprivate var mixesChannels: Bool {
        switch kind {
        case .lrn, .layerNorm, .groupNorm, .softmax: return true
        case .reduceMean, .reduceSum, .reduceMax:
            guard case .integers(let axes) = settings["axes"] else { return true }
            return axes.contains(0)
        default: return false
        }
    }
}
