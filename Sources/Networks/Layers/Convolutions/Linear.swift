import Numerics

/// y = W x + b. weight [outputs, inputs], bias [outputs].
package final class Linear: Layer {
    package let weight: Parameter
    package let bias: Parameter?
    private let inputs: Int
    private let outputs: Int
    /// At which it works: 1, or all but the last dimension's.
    package let positions: Int
    private let shape: Shape

    /// `outputs`; `bias`, true; `axis`, "all" of the input flattened, or "last": the same weights at every place of the
    /// other dimensions.
    init(_ blueprint: Blueprint) throws {
        let input = try blueprint.soleInput()
        outputs = try blueprint.whole("outputs", 1...Int.max)
        switch try blueprint.choice("axis", or: Axis.all) {
        case .all: (inputs, shape) = (input.count, try Shape([outputs]))
        case .last:
            inputs = input.dimensions.last ?? 1
            shape = try Shape(input.dimensions.dropLast() + [outputs])
        }
        positions = input.count / inputs
        weight = try blueprint.parameter("weight", [outputs, inputs], initial: .uniform(fanIn: inputs))
        bias = try blueprint.flag("bias", or: true)
            ? blueprint.parameter("bias", [outputs], initial: .uniform(fanIn: inputs)) : nil
    }

    private enum Axis: String, CaseIterable { case all, last }

    package var parameters: [Parameter] { [weight] + (bias.map { [$0] } ?? []) }

    package func outputShape(_ shapes: [Shape]) throws -> Shape { shape }

    package func multiplyAdds(_ shapes: [Shape], output: Shape) -> Int { product(output.count, inputs) }

    package func backwardReads(trains: Bool) -> BackwardReads { trains ? .inputs : [] }

    package func plan(_ site: Site) throws -> any Operation {
        try LinearOperation(site, weight: weight, bias: bias, positions: positions)
    }
}

/// y = W x + b with W [outputs, inputs] and flattened x, on samples in lanes as they are; or at each of several positions of
/// x, which then are nothing but more blocks of samples.
final class LinearOperation: Operation {
    private let site: Site
    private let weight: Parameter
    private let bias: Parameter?
    private let inputs: Int
    private let outputs: Int
    private let blocks: Int

    init(_ site: Site, weight: Parameter, bias: Parameter?, positions: Int = 1) throws {
        self.site = site
        self.weight = weight
        self.bias = bias
        (inputs, outputs) = (site.inputs[0].value.elements / positions, site.output.value.elements / positions)
        blocks = site.output.value.blocks * positions
        let columns = (inputs + Batch.lanes - 1) / Batch.lanes * Batch.lanes
        if site.trains { try site.compute.reserveSharedScratch(columns * blocks * Batch.lanes) }
        if site.trains || site.inputs[0].gradient != nil {
            try site.compute.reserveScratch(kernels.linear_scratch(inputs, outputs))
        }
    }

    private var kernels: Kernels { site.compute.kernels }

    func forward(training: Bool) {
        let (x, y) = (site.inputs[0].value, site.output.value)
        share(blocks, outputs) { _, blocks, range in
            kernels.linear(
                x.pointer, weight.value.pointer, bias?.value.pointer, y.pointer, inputs, outputs, blocks.lowerBound,
                blocks.upperBound, range.lowerBound, range.upperBound)
        }
    }

    func backward() {
        guard let dy = site.output.gradient else { return }
        if let dw = weight.gradient, site.trains {
            let (x, columns) = (site.inputs[0].value, site.compute.sharedScratch)
            site.compute.parallel((inputs + Batch.lanes - 1) / Batch.lanes) { range in
                kernels.lanes_to_columns(
                    x.pointer, columns, blocks, inputs, range.lowerBound, range.upperBound)
            }
            site.compute.parallelWithIndex(outputs) { share, range in
                kernels.linear_weight_gradient(
                    columns, dy.pointer, dw.pointer, site.compute.scratch(of: share), blocks, inputs,
                    outputs, range.lowerBound, range.upperBound)
            }
            if let db = bias?.gradient { kernels.channel_sums(dy.pointer, blocks, outputs, 1, db.pointer, 0, outputs) }
        }
        guard let dx = site.inputs[0].gradient else { return }
        share(blocks, inputs) { share, blocks, range in
            kernels.linear_input_gradient(
                dy.pointer, weight.value.pointer, dx.pointer, site.compute.scratch(of: share), inputs, outputs,
                blocks.lowerBound, blocks.upperBound, range.lowerBound, range.upperBound)
        }
    }

    /// Shares a pass among threads: by its results, so that each thread reads weights of its own, where there are enough for
    /// whole tiles, and else by blocks. The results are the same either way.
    private func share(_ blocks: Int, _ results: Int, _ body: (Int, Range<Int>, Range<Int>) -> Void) {
        if results >= 64 * site.compute.threads {
            site.compute.parallelWithIndex(results) { share, range in body(share, 0..<blocks, range) }
        } else {
            site.compute.parallelWithIndex(blocks) { share, range in body(share, range, 0..<results) }
        }
    }
}
