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
    private let inputRows: Tensor?  // for the gradient by the weights
    private let gradientRows: Tensor?

    init(_ site: Site, weight: Parameter, bias: Parameter?) throws {
        self.site = site
        self.weight = weight
        self.bias = bias
        (inputs, outputs) = (site.inputs[0].value.elements, site.output.value.elements)
        inputRows = site.trains ? try Tensor([site.samples, inputs]) : nil
        gradientRows = site.trains ? try Tensor([site.samples, outputs]) : nil
    }

    private var kernels: Kernels { site.compute.kernels }

    func forward(training: Bool) {
        let (x, y) = (site.inputs[0].value, site.output.value)
        site.compute.parallel(y.blocks) { blocks in
            kernels.linear(
                x.pointer, weight.value.pointer, bias?.value.pointer, y.pointer, inputs, outputs, blocks.lowerBound,
                blocks.upperBound)
        }
    }

    func backward() {
        guard let dy = site.output.gradient else { return }
        if let dw = weight.gradient, let inputRows, let gradientRows {
            site.inputs[0].value.store(rows: inputRows.pointer, site.compute)
            dy.store(rows: gradientRows.pointer, site.compute)
            site.compute.parallel(outputs) { range in
                kernels.linear_weight_gradient(
                    inputRows.pointer, gradientRows.pointer, dw.pointer, site.samples, inputs, outputs, range.lowerBound,
                    range.upperBound)
            }
            if let db = bias?.gradient { kernels.channel_sums(dy.pointer, dy.blocks, outputs, 1, db.pointer, 0, outputs) }
        }
        guard let dx = site.inputs[0].gradient else { return }
        site.compute.parallel(dy.blocks) { blocks in
            kernels.linear_input_gradient(
                dy.pointer, weight.value.pointer, dx.pointer, inputs, outputs, blocks.lowerBound, blocks.upperBound)
        }
    }
}
