import Numerics

/// The units of a network's inputs: their mean and standard deviation, over all numbers, or one for each channel, or one for
/// each number of an input.
package struct InputUnits {
    package let mean: Parameter
    package let deviation: Parameter

    /// Mean 0 and deviation 1.
    /// - Parameter count: 1, the channels or the numbers of an input.
    package init(count: Int) throws {
        mean = try Parameter(name: "input.mean", shape: [count], isTrained: false, initial: .kept)
        deviation = try Parameter(
            name: "input.deviation", shape: [count], isTrained: false, allowed: .finiteAndPositive, initial: .kept)
        deviation.value.fill(1)
    }

    /// One mean and deviation for all numbers.
    package init(mean: Float, deviation: Float) throws {
        try self.init(count: 1)
        self.mean.value[0] = mean
        self.deviation.value[0] = deviation
    }

    package var count: Int { mean.value.count }

    /// - Throws: `invalidArgument` when they are not as many as inputs of a shape have.
    package static func require(count: Int, fitting input: Shape) throws {
        let channels = input.channelsHeightWidth.channels
        guard count == 1 || count == channels || count == input.count else {
            throw DaflError.invalid(
                "the number of means and deviations of inputs", count,
                "1, \(channels) (one a channel) or \(input.count) (one a number) for inputs of shape \(input)")
        }
    }

    /// The same for a network that takes inputs of one shape as inputs of another, with as many numbers: an image as a vector.
    package func viewed(from input: Shape, as other: Shape) throws -> InputUnits {
        guard count > 1, input.channelsHeightWidth != other.channelsHeightWidth else { return self }
        let all = try InputUnits(count: input.count)
        let pixels = input.count / count
        for i in 0..<input.count {
            all.mean.value[i] = mean.value[i / pixels]
            all.deviation.value[i] = deviation.value[i / pixels]
        }
        return all
    }

    package func load(_ other: InputUnits) {
        mean.value.load(other.mean.value)
        deviation.value.load(other.deviation.value)
    }
}

extension Network {
    /// The units that it takes its inputs in; nil for standardised inputs.
    package var inputUnits: InputUnits? {
        let scaling = nodes.first?.layer as? UnitScaling
        return scaling?.direction == .standardising ? scaling?.units : nil
    }

    /// A copy of a classifier that takes its inputs, or of a generator that makes its outputs, in other than standardised
    /// units. A network that has units already keeps them.
    package func copy(units: InputUnits?, _ direction: UnitScaling.Direction = .standardising) throws -> Network {
        guard let units, !nodes.contains(where: { $0.layer is UnitScaling }) else { return try copy() }
        let copy = try Network(
            graph.adding(units: units.count, direction),
            architecture: architecture.map { Architecture.adding(units: units.count, to: $0) })
        copy.loadWeights(of: self)
        copy.load(units)
        return copy
    }
}

extension Graph {
    /// Adds a scaling of units after the last node.
    mutating func add(units count: Int, _ direction: UnitScaling.Direction, named name: String = "units") {
        add(.units, name, ["count": .integer(count), "direction": .text(direction.rawValue)])
    }

    /// The same with a scaling of units first, or last.
    func adding(units count: Int, _ direction: UnitScaling.Direction) -> Graph {
        var graph = self
        let name = unused("units")
        guard direction == .standardising else {
            if let output { graph.nodes = Array(nodes.prefix(through: nodes.firstIndex { $0.name == output } ?? nodes.endIndex - 1)) }
            graph.output = nil
            graph.add(units: count, direction, named: name)
            return graph
        }
        graph.nodes = []
        graph.add(units: count, direction, named: name)
        let scaling = graph.last
        graph.nodes += nodes.map { node in
            var node = node
            node.inputs = node.inputs.map { $0 == Graph.input ? scaling : $0 }
            return node
        }
        return graph
    }
}
