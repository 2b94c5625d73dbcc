import LaneKernels
import Numerics

/// The steps in which a network works on one image, and where the numbers lie between them.
///
/// What a node computes lies with its channels in lanes, or in rows, or in both, as those want it that read it. Between
/// convolutions it has the border of zeros that the next one needs.
struct SinglePlan {
    let input: SingleRows
    private(set) var output: SingleRows
    private(set) var steps: [any SingleStep] = []

    private let network: Network
    private let compute: Compute
    private let alone: Compute
    private var rows: [Int: SingleRows] = [:]
    private var lanes: [Int: SingleLanes] = [:]
    /// Of what only convolutions write and read: the zeros around it.
    private let borders: [Int: Border]

    init(_ network: Network, _ compute: Compute) throws {
        (self.network, self.compute, alone) = (network, compute, compute.alone())
        let groups = SingleGroup.groups(of: network, compute)
        borders = Self.borders(network, groups)
        input = try SingleRows(count: network.inputShape.count, isHosts: true)
        output = input
        rows[Network.input] = input

        let members = Set(groups.values.flatMap(\.members))
        for (index, node) in network.nodes.enumerated() {
            if let group = groups[index] {
                try add(group)
            } else if !members.contains(index) {
                try add(node, index)
            }
        }
        output = try rows(of: network.nodes.count - 1)
    }

    private func shape(_ node: Int) -> Shape { network.shapes(of: [node])[0] }

    private static func borders(_ network: Network, _ groups: [Int: SingleGroup]) -> [Int: Border] {
        var (borders, others): ([Int: Border], Set<Int>) = ([:], [network.nodes.count - 1])
        let members = Set(groups.values.flatMap(\.members))
        for group in groups.values {
            if let residual = group.residual { borders[residual] = borders[residual] ?? Border.none }
            borders[group.input] = (borders[group.input] ?? Border.none).covering(group.border)
        }
        for (index, node) in network.nodes.enumerated() where !members.contains(index) { others.formUnion(node.inputs) }
        return borders.filter { groups[$0.key] != nil && !others.contains($0.key) }
    }

    // MARK: - Where numbers lie

    /// What a node computes, in rows.
    private mutating func rows(of node: Int) throws -> SingleRows {
        if let rows = rows[node] { return rows }
        guard let lanes = lanes[node] else { preconditionFailure("nodes come after those that they read") }
        let made: SingleRows
        if lanes.height * lanes.width == 1, lanes.border == Border.none {
            made = SingleRows(lanes.memory)
        } else {
            made = try SingleRows(count: shape(node).count)
            let batch = try lanes.batch()
            steps.append(SingleWork { [alone] in batch.store(rows: made.memory.start, alone) })
        }
        rows[node] = made
        return made
    }

    /// What a node computes, with its channels in lanes and no border.
    private mutating func lanes(of node: Int) throws -> SingleLanes {
        if let lanes = lanes[node] { return lanes }
        let (channels, height, width) = shape(node).channelsHeightWidth
        let made: SingleLanes
        if height * width == 1 {
            made = SingleLanes(try wholeRows(of: node).memory, channels: channels)
        } else {
            made = try SingleLanes(channels, height, width)
            let (from, batch) = (try rows(of: node), try made.batch())
            steps.append(SingleWork { [alone] in batch.load(rows: from.start, alone) })
        }
        lanes[node] = made
        return made
    }

    /// What a node computes, in rows that have whole vectors.
    private mutating func wholeRows(of node: Int) throws -> SingleRows {
        let (from, count) = (try rows(of: node), shape(node).count)
        guard from.isHosts else { return from }
        let copy = try SingleRows(count: count)
        steps.append(SingleWork { copy.memory.start.update(from: from.start, count: count) })
        return copy
    }

    private mutating func newLanes(_ node: Int) throws -> SingleLanes {
        let (channels, height, width) = shape(node).channelsHeightWidth
        let made = try SingleLanes(channels, height, width, border: borders[node] ?? Border.none)
        lanes[node] = made
        return made
    }

    private mutating func newRows(_ node: Int) throws -> SingleRows {
        let made = try SingleRows(count: shape(node).count)
        rows[node] = made
        return made
    }

    // MARK: - Steps

    private mutating func add(_ group: SingleGroup) throws {
        let residual = try group.residual.map { try lanes(of: $0) }
        let border = group.border
        let source: SingleSource
        if group.isDepthwise || group.usesWinograd || lanes[group.input] != nil {
            var from = try lanes(of: group.input)
            if !from.border.covers(border) {
                let bordered = try SingleLanes(from.channels, from.height, from.width, border: border)
                steps.append(SingleBordering(from, to: bordered))
                from = bordered
            }
            source = .lanes(from)
        } else {
            let from = try rows(of: group.input)
            let planes = try SinglePlanes(from, shape(group.input), border: border)
            if border != Border.none { steps.append(planes) }
            source = .planes(planes)
        }
        let to = try newLanes(group.node)
        steps.append(try SingleConvolution(group, from: source, residual: residual, to: to, compute))
    }

    private mutating func add(_ node: Network.Node, _ index: Int) throws {
        switch node.layer {
        case let layer as Linear where layer.positions == 1:
            try addLinear(index, layer.weight, layer.bias)
        case let layer as Convolution where layer.coversInput(of: shape(node.inputs[0])):
            try addLinear(index, layer.weight, layer.bias)
        case is Reshape, is Dropout:
            rows[index] = try rows(of: node.inputs[0])
            if shape(node.inputs[0]) == node.outputShape { lanes[index] = lanes[node.inputs[0]] }
        case let layer as Constant:
            steps.append(SingleConstant(layer, to: try newRows(index)))
        case let layer as UnitScaling:
            steps.append(SingleScaling(layer, from: try rows(of: node.inputs[0]), shape(node.inputs[0]), to: try newRows(index)))
        case is LeakyReLU, is Tanh, is Activation, is FakeQuantization:
            try addElementwise(node, index) { try node.layer.plan($0) }
        case is Add where node.inputs.allSatisfy({ shape($0) == node.outputShape }):
            try addElementwise(node, index) { AddOperation($0) }
        case let layer as Combination where node.inputs.allSatisfy({ shape($0) == node.outputShape }):
            try addElementwise(node, index) { CombinationOperation($0, layer.operation) }
        case is Add where node.inputs.count == 2 && isChannelwise(node):
            try addChannelwise(node, index) { CombinationOperation($0, LANE_ADD) }
        case let layer as Combination where isChannelwise(node):
            try addChannelwise(node, index) { CombinationOperation($0, layer.operation) }
        case is Pooling, is Upsampling, is Resampling, is Crop:
            guard shape(node.inputs[0]).isPlanes else { return try addInOneLane(node, index) }
            try addChannelwise(node, index) { try node.layer.plan($0) }
        case let layer as Reduction where layer.isOverPixels(of: shape(node.inputs[0])):
            try addChannelwise(node, index) { try node.layer.plan($0) }
        case let layer as Rearrangement:
            let from = try node.inputs.map { try rows(of: $0) }
            steps.append(SingleRearrangement(layer, from: from, to: try newRows(index)))
        default:
            try addInOneLane(node, index)
        }
    }

    private mutating func addLinear(_ index: Int, _ weight: Parameter, _ bias: Parameter?) throws {
        let from = try rows(of: network.nodes[index].inputs[0])
        steps.append(SingleLinear(weight, bias, from: from, to: try newRows(index), compute))
    }

    /// Work on each number alone, in the order in which the inputs are.
    private mutating func addElementwise(
        _ node: Network.Node, _ index: Int, _ plan: (Site) throws -> any Operation
    ) throws {
        if node.outputShape.isPlanes, node.inputs.contains(where: { rows[$0] == nil }) {
            return try addChannelwise(node, index, plan)
        }
        let inputs = try node.inputs.map { try wholeRows(of: $0).batch() }
        add(try plan(site(inputs, try newRows(index).batch())))
    }

    /// Work on each channel alone: to its operation channels are samples.
    private mutating func addChannelwise(
        _ node: Network.Node, _ index: Int, _ plan: (Site) throws -> any Operation
    ) throws {
        let inputs = try node.inputs.map { try lanes(of: $0).batch() }
        add(try plan(site(inputs, try newLanes(index).batch())))
    }

    /// Whether all inputs are images of as many channels, some of a single pixel, row or column.
    private func isChannelwise(_ node: Network.Node) -> Bool {
        node.outputShape.rank == 3
            && node.inputs.allSatisfy { shape($0).rank == 3 && shape($0)[0] == node.outputShape[0] }
    }

    /// What has no better way: as a `Pass` does it, with a single image in the first lane.
    private mutating func addInOneLane(_ node: Network.Node, _ index: Int) throws {
        let inputs = try node.inputs.map { input in
            let batch = try Batch(samples: 1, shape: shape(input))
            let from = try rows(of: input)
            steps.append(SingleWork { [alone] in batch.load(rows: from.start, alone) })
            return batch
        }
        let output = try Batch(samples: 1, shape: node.outputShape)
        let to = try newRows(index)
        add(try node.layer.plan(site(inputs, output)))
        steps.append(SingleWork { [alone] in output.store(rows: to.memory.start, alone) })
    }

    private mutating func add(_ operation: any Operation) {
        steps.append(SingleWork { operation.forward(training: false) })
    }

    private func site(_ inputs: [Batch], _ output: Batch) -> Site {
        // Waking threads for less takes longer than it saves.
        let floats = inputs.reduce(output.count) { $0 + $1.count }
        return Site(
            inputs: inputs.map { Slot(value: $0, gradient: nil) }, output: Slot(value: output, gradient: nil),
            samples: output.samples, trains: false, statisticsWeight: 0,
            compute: floats < 1 << 16 ? alone : compute, masks: nil)
    }
}

extension Reduction {
    /// Whether it leaves one number of each channel of such an image.
    func isOverPixels(of shape: Shape) -> Bool {
        shape.rank == 3 && kept.dimensions == [shape[0], 1, 1]
    }
}

extension Border {
    /// The larger of both on each side.
    func covering(_ other: Border) -> Border {
        Border(
            top: max(top, other.top), left: max(left, other.left), bottom: max(bottom, other.bottom),
            right: max(right, other.right))
    }

    func covers(_ other: Border) -> Bool { covering(other) == self }
}
