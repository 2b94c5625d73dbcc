import Numerics

/// A network at work on one batch: the memory for its activations and gradients, planned once.
///
///     pass.input.load(rows: images, compute)
///     pass.forward(training: true)
///     // write dL/d(output) to pass.outputGradient
///     pass.backward()  // writes every weight's gradient
///
/// Both directions allocate nothing.
package final class Pass {
    /// Which gradients `backward` writes.
    package struct Gradients: OptionSet {
        package let rawValue: Int
        package init(rawValue: Int) { self.rawValue = rawValue }
        /// By the network's weights.
        package static let weights = Gradients(rawValue: 1)
        /// By the network's input.
        package static let input = Gradients(rawValue: 2)
    }

    package let network: Network
    /// In the network's own shape.
    package let input: Batch
    package let output: Batch
    /// What the network's feature node computes; nil when it has none.
    package let features: Batch?
    /// To be written by the caller before `backward`; nil when no gradients were asked for.
    package let outputGradient: Batch?
    /// The same for a number that also depends on the features directly. Zero at first.
    package let featuresGradient: Batch?
    /// Written by `backward` when asked for.
    package let inputGradient: Batch?
    /// What the watched nodes compute, in their order.
    package let watched: [Batch]
    /// Of a number that also depends on these directly, to be written before `backward`. Zero at first; empty when no gradients
    /// were asked for.
    package let watchedGradients: [Batch]

    private var operations: [any Operation] = []
    /// For each operation, what completes the gradient by its output before its backward pass.
    private var joins: [GradientJoin?] = []
    private let inputJoin: GradientJoin?
    private let shared: SharedGradients
    /// Of all activations and gradients that nobody outside sees.
    let memory: MemoryPlan

    /// - Parameters:
    ///   - input: the batch that the pass reads, and whose size it has; its owner may be another pass. An image may go into a
    ///     network of vectors and the other way round, see `Shape.takes`.
    ///   - gradients: which of them `backward` writes; none plans a forward pass only.
    ///   - statisticsWeight: with which `backward` adds the gradient of `statisticsDistance`; 0 to do without.
    ///   - masks: of dropout layers, which do nothing without them, nor in a forward pass that does not train.
    ///   - watching: nodes whose outputs are to be seen.
    /// - Throws: `invalidArgument` when the input does not fit the network, `outOfMemory`.
    package init(
        _ network: Network, input: Batch, gradients: Gradients = [], statisticsWeight: Float = 0,
        masks: DropoutMasks? = nil, watching: [Int] = [], _ compute: Compute
    ) throws {
        guard network.inputShape.takes(input.shape) else {
            throw DaflError.invalid("the input of \(network.name)", input.shape, "of shape \(network.inputShape)")
        }
        self.network = network
        // Layers take height and width from the batch: an image seen as a vector must look like one to them.
        let input = input.shape == network.inputShape ? input : Batch(viewing: input, as: network.inputShape)
        self.input = input

        let samples = input.samples
        let steps = FusedStep.steps(of: network, watching: watching, compute)
        let last = network.nodes.count - 1
        let hasGradients = !gradients.isEmpty
        let visible = Set([last, network.featureNode].compactMap { $0 } + watching)
        func own(_ node: Int) throws -> Batch {
            try Batch(samples: samples, shape: node == Network.input ? network.inputShape : network.nodes[node].outputShape)
        }

        // Step i runs forward at time i and backward at time 2 n - 1 - i.
        var plan = MemoryPlan(samples: samples)
        func backwardTime(_ step: Int) -> Int { 2 * steps.count - 1 - step }
        var values: [Int: Batch] = [Network.input: input]
        var reserved: [Int: MemoryPlan.Reservation] = [:]
        for (time, step) in steps.enumerated() {
            var reads = hasGradients ? step.layer.backwardReads(trains: gradients.contains(.weights)) : []
            if statisticsWeight != 0 { reads.formUnion(step.layer.statisticsReads) }
            if visible.contains(step.node) {
                values[step.node] = try own(step.node)
            } else {
                let end = reads.contains(.output) ? backwardTime(time) : time
                reserved[step.node] = try plan.reserve(network.nodes[step.node].outputShape, time...end)
            }
            for input in step.inputs {
                if let value = reserved[input] { plan.extend(value, to: reads.contains(.inputs) ? backwardTime(time) : time) }
            }
        }

        // Only what leads back to the input, or to weights, needs a gradient.
        var needy: Set<Int> = gradients.contains(.input) ? [Network.input] : []
        for step in steps {
            let learns = gradients.contains(.weights) && step.layer.parameters.contains(where: \.isTrained)
            if learns || step.inputs.contains(where: needy.contains) { needy.insert(step.node) }
        }

        // A node's output feeds its consumers, each of which writes a gradient of its own; several are added up in the first.
        let producers = Dictionary(uniqueKeysWithValues: steps.enumerated().map { ($1.node, $0) })
        var consumerGradients: [[MemoryPlan.Reservation?]] = []
        for (time, step) in steps.enumerated() {
            consumerGradients.append(
                try zip(step.inputs, network.shapes(of: step.inputs)).map { input, shape in
                    guard let producer = producers[input], needy.contains(input) else { return nil }
                    return try plan.reserve(shape, backwardTime(time)...backwardTime(producer))
                })
        }
        try plan.place()
        memory = plan
        for (node, reservation) in reserved { values[node] = plan.batch(reservation) }

        var written: [Int: [Batch]] = [:]
        outputGradient = hasGradients ? try own(last) : nil
        featuresGradient = try hasGradients ? network.featureNode.map(own) : nil
        if let outputGradient { written[last, default: []].append(outputGradient) }
        if let featuresGradient, let node = network.featureNode { written[node, default: []].append(featuresGradient) }
        watchedGradients = hasGradients ? try watching.map(own) : []
        for (node, gradient) in zip(watching, watchedGradients) { written[node, default: []].append(gradient) }
        var slots: [(inputs: [Slot], output: Batch)] = []
        for (step, reservations) in zip(steps, consumerGradients) {
            let inputs = try zip(step.inputs, reservations).map { index, reservation in
                let isAsked = index == Network.input && gradients.contains(.input)
                let gradient = try reservation.map(plan.batch) ?? (isAsked ? own(index) : nil)
                if let gradient { written[index, default: []].append(gradient) }
                return Slot(value: values[index] ?? input, gradient: gradient)
            }
            slots.append((inputs, values[step.node] ?? input))
        }
        output = values[last] ?? input
        features = network.featureNode.flatMap { values[$0] }
        watched = watching.compactMap { values[$0] }

        for (step, slot) in zip(steps, slots) {
            // What the caller wrote is kept as it is: others are added up in a batch of their own.
            let join = try GradientJoin(written[step.node] ?? [], keepsFirst: visible.contains(step.node), compute)
            joins.append(join)
            operations.append(
                try step.layer.plan(
                    Site(
                        inputs: slot.inputs, output: Slot(value: slot.output, gradient: join?.total), samples: samples,
                        trains: gradients.contains(.weights),
                        statisticsWeight: statisticsWeight, compute: compute, masks: masks)))
        }
        shared = try SharedGradients(of: gradients.contains(.weights) ? steps : [])
        inputJoin = try GradientJoin(written[Network.input] ?? [], keepsFirst: false, compute)
        inputGradient = inputJoin?.total
    }

    /// Computes `output` and `features` from `input`.
    package func forward(training: Bool = false) {
        for operation in operations { operation.forward(training: training) }
    }

    /// After a forward pass that does not train, planned with a `statisticsWeight`: the sum over all batch normalisations of
    /// norm2(mean - running mean) + norm2(variance - running variance), the batch's statistics of their inputs against those
    /// kept from training: DeepInversion (Yin et al., CVPR 2020), equation 4.
    package var statisticsDistance: Double {
        operations.reduce(0) { $0 + (($1 as? BatchNormOperation)?.statisticsDistance ?? 0) }
    }

    /// From `outputGradient`, `featuresGradient` and `watchedGradients`, once after each `forward`, whose activations it writes over.
    package func backward() {
        for step in operations.indices.reversed() {
            joins[step]?.complete()
            operations[step].backward()
            shared.add(after: step)
        }
        inputJoin?.complete()
    }
}

/// Adds up the gradients by weights that several nodes share, each of which overwrites what the one after it wrote.
private final class SharedGradients {
    private struct Sum {
        let gradient: Tensor
        let total: Tensor
        let last: Int
        let first: Int
    }

    private let sums: [Int: [Sum]]

    init(of steps: [FusedStep]) throws {
        var users: [ObjectIdentifier: (gradient: Tensor, steps: [Int])] = [:]
        for (index, step) in steps.enumerated() {
            for parameter in step.layer.parameters {
                guard let gradient = parameter.gradient else { continue }
                users[ObjectIdentifier(parameter), default: (gradient, [])].steps.append(index)
            }
        }
        var sums: [Int: [Sum]] = [:]
        for (gradient, steps) in users.values {
            guard steps.count > 1, let first = steps.first, let last = steps.last else { continue }
            let sum = Sum(gradient: gradient, total: try Tensor(gradient.shape), last: last, first: first)
            for step in steps { sums[step, default: []].append(sum) }
        }
        self.sums = sums
    }

    /// After the backward pass of a step; the first step's comes last.
    func add(after step: Int) {
        for sum in sums[step] ?? [] {
            let (gradient, total) = (sum.gradient, sum.total)
            if step == sum.last { total.fill(0) }
            for i in 0..<total.count { total[i] += gradient[i] }
            if step == sum.first { gradient.load(total) }
        }
    }
}

/// Adds up the gradients that the consumers of one output wrote.
private struct GradientJoin {
    let total: Batch
    private let parts: [Batch]
    private let compute: Compute

    /// nil when there are none.
    /// - Parameter keepsFirst: whether the first part must not change, which else becomes the sum.
    init?(_ parts: [Batch], keepsFirst: Bool, _ compute: Compute) throws {
        guard let first = parts.first else { return nil }
        total = parts.count > 1 && keepsFirst ? try Batch(samples: first.samples, shape: first.shape) : first
        self.parts = parts
        self.compute = compute
    }

    func complete() {
        guard parts.count > 1 else { return }
        add(parts[0], parts[1], into: total, compute)
        for part in parts.dropFirst(2) { add(total, part, into: total, compute) }
    }
}
