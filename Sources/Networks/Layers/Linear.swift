import Numerics

/// y = W x + b. weight [outputs, inputs], bias [outputs].
package final class Linear: Layer {
    package let weight: Parameter
    package let bias: Parameter
    private let inputs: Int
    private let outputs: Int

    package init(name: String, inputs: Int, outputs: Int) throws {
        (self.inputs, self.outputs) = (inputs, outputs)
        weight = try Parameter(name: "\(name).weight", shape: [outputs, inputs])
        bias = try Parameter(name: "\(name).bias", shape: [outputs])
    }

    package var parameters: [Parameter] { [weight, bias] }

    package func outputShape(_ shapes: [Shape]) throws -> Shape {
        let input = try soleInput(shapes, of: weight.name)
        guard input.count == inputs else {
            throw DaflError.invalid("the input of \(weight.name), \(input),", input.count, "\(inputs) numbers")
        }
        return try Shape([outputs])
    }

    package func multiplyAdds(_ shapes: [Shape], output: Shape) -> Int { inputs * outputs }

    package func plan(_ site: Site) throws -> any Operation {
        try LinearOperation(site, weight: weight, bias: bias)
    }
}

/// y = W x + b with W [outputs, inputs] and flattened x, on samples in lanes as they are.
final class LinearOperation: Operation {
    private let site: Site
    private let weight: Parameter
    private let bias: Parameter?
    private let inputs: Int
    private let outputs: Int
    private let inputColumns: Tensor?  // for the gradient by the weights

    init(_ site: Site, weight: Parameter, bias: Parameter?) throws {
        self.site = site
        self.weight = weight
        self.bias = bias
        (inputs, outputs) = (site.inputs[0].value.elements, site.output.value.elements)
        let columns = (inputs + Batch.lanes - 1) / Batch.lanes * Batch.lanes
        inputColumns = site.trains ? try Tensor([columns, site.output.value.blocks * Batch.lanes]) : nil
        if site.trains || site.inputs[0].gradient != nil {
            try site.compute.reserveScratch(kernels.linear_scratch(inputs, outputs))
        }
    }

    private var kernels: Kernels { site.compute.kernels }

    func forward(training: Bool) {
        let (x, y) = (site.inputs[0].value, site.output.value)
        share(y.blocks, outputs) { _, blocks, range in
            kernels.linear(
                x.pointer, weight.value.pointer, bias?.value.pointer, y.pointer, inputs, outputs, blocks.lowerBound,
                blocks.upperBound, range.lowerBound, range.upperBound)
        }
    }

    func backward() {
        guard let dy = site.output.gradient else { return }
        if let dw = weight.gradient, let inputColumns {
            let x = site.inputs[0].value
            site.compute.parallel((inputs + Batch.lanes - 1) / Batch.lanes) { range in
                kernels.lanes_to_columns(
                    x.pointer, inputColumns.pointer, x.blocks, inputs, range.lowerBound, range.upperBound)
            }
            site.compute.parallelWithIndex(outputs) { share, range in
                kernels.linear_weight_gradient(
                    inputColumns.pointer, dy.pointer, dw.pointer, site.compute.scratch(of: share), dy.blocks, inputs,
                    outputs, range.lowerBound, range.upperBound)
            }
            if let db = bias?.gradient { kernels.channel_sums(dy.pointer, dy.blocks, outputs, 1, db.pointer, 0, outputs) }
        }
        guard let dx = site.inputs[0].gradient else { return }
        share(dy.blocks, inputs) { share, blocks, range in
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
