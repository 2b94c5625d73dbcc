import Numerics

/// A student's first weights, made of its teacher's, of whose channels it has a share: `Graph.scaled` with a depth of 1.
///
///     let narrowing = try Narrowing(teacher, width: 0.5)
///     // for some batches: a pass of narrowing.network, watching narrowing.watched
///     narrowing.add(pass.watched)
///     try narrowing.write(to: student)
///     try narrowing.refit(student, batches: 8, teacher: input, student: images, compute) { load the next batch }
///
/// Of each group of channels those are kept that, together with the ones kept before, best give back the others by least
/// squares on what the network saw, weighed by what its layers make of them. What a layer made of the others, it then makes of
/// those kept (as He, Zhang and Sun, "Channel pruning for accelerating very deep neural networks", ICCV 2017). Errors grow from
/// layer to layer; fitting one after the other to the teacher's outputs makes up for that as far as weights can.
package final class Narrowing {
    /// A layer with weights whose channels are known, and its input.
    private struct Reader {
        let name: String
        /// Which of `watched` it reads; nil for the network's input.
        let source: Int?
        let outputs: [ChannelGroups.Channel]
        let inputs: [ChannelGroups.Channel]
    }

    /// The teacher with its normalisations folded, and without units.
    package let network: Network
    /// Nodes of `network`.
    package let watched: [Int]
    private let scaling: WidthScaling
    private let width: Double
    private var readers: [Reader] = []
    /// Layers that work on each channel alone.
    private var followers: [String] = []
    private let moments: [ChannelMoments]
    /// For each group, which of its channels are kept, in their order.
    private var kept: [Int: [Int]] = [:]

    private static let mostChannels = 1024

    /// nil for a network with layers of which it is not told how channels go through them.
    package init?(_ teacher: Network, width: Double) throws {
        let folded = try teacher.foldingBatchNorms()
        let graph = try folded.graph.withoutUnits().withoutQuantisation().needed()
        network = try Network(graph)
        network.loadWeights(of: folded)
        network.loadConstants(from: folded)
        self.width = width
        scaling = WidthScaling(graph, shapes: try graph.shapes())
        guard graph.sharingNodes.isEmpty else { return nil }

        var sources: [Int] = []
        for node in network.nodes where !node.layer.parameters.isEmpty {
            guard let all = scaling.channels(ofWeightsOf: node.name), let first = all.first else { return nil }
            switch node.layer {
            case let layer as Convolution where layer.geometry.groups == 1:
                readers.append(Self.reader(node, outputs: first, inputs: all[1], &sources))
            case let layer as Linear where layer.positions == 1:
                readers.append(Self.reader(node, outputs: first, inputs: all[1], &sources))
            case let layer as Convolution where layer.geometry.groups == layer.geometry.inputs && layer.geometry.inputs == layer.geometry.outputs:
                followers.append(node.name)
            case is BatchNorm, is PReLU: followers.append(node.name)
            default: return nil
            }
        }
        watched = sources
        let shapes = network.shapes(of: sources)
        let bySource = Dictionary(readers.compactMap { reader in reader.source.map { ($0, reader.inputs.count) } }) { a, _ in a }
        guard !readers.isEmpty, zip(sources.indices, shapes).allSatisfy({ $1.count % (bySource[$0] ?? 1) == 0 }),
            bySource.values.allSatisfy({ $0 <= Self.mostChannels })
        else { return nil }
        moments = try sources.indices.map { try ChannelMoments(channels: bySource[$0] ?? 1) }
    }

    private static func reader(
        _ node: Network.Node, outputs: [ChannelGroups.Channel], inputs: [ChannelGroups.Channel], _ sources: inout [Int]
    ) -> Reader {
        var source: Int?
        if node.inputs[0] != Network.input {
            source = sources.firstIndex(of: node.inputs[0]) ?? sources.count
            if source == sources.count { sources.append(node.inputs[0]) }
        }
        return Reader(name: node.name, source: source, outputs: outputs, inputs: inputs)
    }

    /// Takes note of what the watched nodes made of some images.
    package func add(_ batches: [Batch]) {
        for (moments, batch) in zip(moments, batches) { moments.add(batch) }
    }

    // MARK: - Which channels

    private func choose() throws {
        let residuals = try readers.map { reader in
            try reader.source.map { try ChannelResiduals(moments[$0], importance: importance(of: reader)) }
        }
        var sizes: [Int: Int] = [:]
        for channel in readers.flatMap({ $0.inputs + $0.outputs }) {
            sizes[channel.group] = max(sizes[channel.group] ?? 0, channel.index + 1)
        }
        let variable = scaling.variableGroups
        for (group, size) in sizes.sorted(by: { $0.key < $1.key }) {
            let count = variable[group] == nil ? size : WidthScaling.size(size, width)
            guard count < size else {
                kept[group] = Array(0..<size)
                continue
            }
            // Where a reader has the group's channels.
            let places = readers.map { reader in
                reader.inputs.indices.filter { reader.inputs[$0].group == group }.map { (place: $0, index: reader.inputs[$0].index) }
            }
            var chosen: Set<Int> = []
            while chosen.count < count {
                var gains = [Double](repeating: 0, count: size)
                for (reader, places) in places.enumerated() {
                    for (place, index) in places { gains[index] += residuals[reader]?.gain(of: place) ?? 0 }
                }
                guard let best = gains.indices.filter({ !chosen.contains($0) }).max(by: { gains[$0] < gains[$1] }) else { break }
                chosen.insert(best)
                for (reader, places) in places.enumerated() {
                    for (place, index) in places where index == best { residuals[reader]?.know(place) }
                }
            }
            kept[group] = chosen.sorted()
        }
    }

    /// M of `ChannelResiduals`.
    private func importance(of reader: Reader) throws -> Doubles {
        let channels = reader.inputs.count, sums = try Doubles(count: channels * channels)
        guard let weight = network.parameter(named: "\(reader.name).weight")?.value else { return sums }
        let outputs = weight.shape[0], row = weight.count / outputs, taps = row / channels
        for o in 0..<outputs {
            for i in 0..<channels {
                for j in 0..<channels {
                    var sum = 0.0
                    for k in 0..<taps { sum += Double(weight[o * row + i * taps + k]) * Double(weight[o * row + j * taps + k]) }
                    sums[i * channels + j] += sum
                }
            }
        }
        return sums
    }

    private func isKept(_ channel: ChannelGroups.Channel) -> Bool { kept[channel.group]?.contains(channel.index) ?? true }

    private func places(_ channels: [ChannelGroups.Channel]) -> [Int] { channels.indices.filter { isKept(channels[$0]) } }

    /// Of what a layer of the teacher's reads, the channels that the student's has, after `write`; and the mean variance of
    /// these. nil where it reads the network's input, or is no such layer.
    package func input(of layer: String) -> (channels: [Int], variance: Double)? {
        guard let reader = readers.first(where: { $0.name == layer }), let source = reader.source else { return nil }
        let channels = places(reader.inputs)
        return (channels, moments[source].variance(of: channels))
    }

    // MARK: - Their weights

    /// Chooses the channels and writes the weights of a student with the same nodes, some of which may be followed by
    /// normalisations of its own. These do nothing at first but add the bias, as long as they use their running statistics.
    /// - Parameter units: of `network`'s inputs, where the student takes standardised ones.
    /// - Returns: false, with the student as it was, where its weights are not of the sizes that this makes.
    package func write(to student: Network, units: InputUnits? = nil) throws -> Bool {
        try choose()
        var values: [(to: Tensor, from: Tensor)] = []
        for reader in readers {
            let (weight, bias) = try narrowed(reader)
            if reader.source == nil, let units { standardise(weight, bias, units) }
            guard let own = student.parameter(named: "\(reader.name).weight")?.value, own.count == weight.count else { return false }
            values.append((own, weight))
            if let own = student.parameter(named: "\(reader.name).bias")?.value {
                values.append((own, bias))
            } else {
                guard let norm = student.norm(behind: reader.name), let added = norm.bias?.value, let scale = norm.weight?.value
                else { return false }
                let (ones, zeros, variances) = (try Tensor(added.shape), try Tensor(added.shape), try Tensor(added.shape))
                ones.fill(1)
                variances.fill(1 - norm.epsilon)
                values += [(added, bias), (scale, ones), (norm.runningMean.value, zeros), (norm.runningVariance.value, variances)]
            }
        }
        for name in followers {
            guard let layer = network.nodes.first(where: { $0.name == name })?.layer,
                let channels = scaling.channels(ofWeightsOf: name)?.first
            else { return false }
            let places = places(channels)
            for parameter in layer.parameters {
                guard let own = student.parameter(named: parameter.name)?.value else { return false }
                let row = parameter.value.count / channels.count
                // A single slope is shared by all channels.
                let from = row == 0 ? parameter.value : try Tensor([places.count * row])
                if row > 0 {
                    for (i, place) in places.enumerated() {
                        for k in 0..<row { from[i * row + k] = parameter.value[place * row + k] }
                    }
                }
                guard own.count == from.count else { return false }
                values.append((own, from))
            }
        }
        for (to, from) in values { to.load(from) }
        return true
    }

    /// Fits the weights of a student that was written to: see `Network.refit`.
    /// - Parameter teacher: the inputs of `network`, where the student has others.
    package func refit(
        _ student: Network, batches: Int, teacher: Batch, student images: Batch, _ compute: Compute, _ load: (Int) -> Void
    ) throws {
        try student.refit(
            readers.map { ($0.name, places($0.outputs)) }, to: network, batches: batches, teacher: teacher, own: images, compute, load)
    }

    /// From the weights of a layer that reads inputs in units to those for standardised inputs. At an edge with zeros around
    /// it these stand for the mean then.
    private func standardise(_ weight: Tensor, _ bias: Tensor, _ units: InputUnits) {
        let row = weight.count / bias.count
        for o in 0..<bias.count {
            var added = 0.0
            for i in 0..<row {
                let place = i * units.count / row
                added += Double(weight[o * row + i]) * Double(units.mean.value[place])
                weight[o * row + i] *= units.deviation.value[place]
            }
            bias[o] += Float(added)
        }
    }

    /// A layer's weights for the channels kept, of which it makes what it made of all.
    private func narrowed(_ reader: Reader) throws -> (weight: Tensor, bias: Tensor) {
        guard let weight = network.parameter(named: "\(reader.name).weight")?.value else {
            preconditionFailure("a layer that reads has weights")
        }
        let bias = network.parameter(named: "\(reader.name).bias")?.value
        let row = weight.count / weight.shape[0], taps = row / reader.inputs.count
        let outputs = places(reader.outputs), inputs = places(reader.inputs)
        let others = reader.inputs.indices.filter { !isKept(reader.inputs[$0]) }
        let map = try reader.source.map { try moments[$0].reconstruction(of: others, from: inputs) }
        let narrow = try Tensor([outputs.count * inputs.count * taps]), biases = try Tensor([outputs.count])
        for (o, output) in outputs.enumerated() {
            let old = weight.pointer + output * row
            var added = Double(bias?[output] ?? 0)
            for k in 0..<taps {
                for (i, input) in inputs.enumerated() {
                    var sum = Double(old[input * taps + k])
                    if let map {
                        for (d, other) in others.enumerated() {
                            sum += Double(old[other * taps + k]) * map[d * (inputs.count + 1) + i]
                        }
                    }
                    narrow[(o * inputs.count + i) * taps + k] = Float(sum)
                }
                if let map {
                    for (d, other) in others.enumerated() {
                        added += Double(old[other * taps + k]) * map[d * (inputs.count + 1) + inputs.count]
                    }
                }
            }
            biases[o] = Float(added)
        }
        return (narrow, biases)
    }
}

extension Network {
    /// The batch normalisation that alone reads a layer's output; nil for none.
    func norm(behind layer: String) -> BatchNorm? {
        guard let index = nodes.firstIndex(where: { $0.name == layer }) else { return nil }
        let readers = nodes.filter { $0.inputs.contains(index) }
        return readers.count == 1 ? readers[0].layer as? BatchNorm : nil
    }
}
