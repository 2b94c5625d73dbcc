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
        try linearOperation(site, weight: weight, bias: bias)
    }
}

/// y = W x + b with W [outputs, inputs] and flattened x.
///
/// OpenBLAS has threads of its own, which know nothing of `Compute`'s and stand in their way. So it is for very large
/// matrices alone, whose blocks it fits to the caches; below that the library's own kernels are as fast or faster.
func linearOperation(_ site: Site, weight: Parameter, bias: Parameter?) throws -> any Operation {
    weight.value.count <= 1 << 22
        ? try LinearOperation(site, weight: weight, bias: bias) : try MatrixOperation(site, weight: weight, bias: bias)
}

/// A linear layer by the library's own kernels, on samples in lanes as they are.
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

/// A linear layer by OpenBLAS.
///
/// The lanes of all blocks side by side are the columns of a matrix [inputs, blocks * 16], so the copies in and out move
/// whole vectors.
final class MatrixOperation: Operation {
    private let site: Site
    private let weight: Parameter
    private let bias: Parameter?
    private let x: Tensor
    private let y: Tensor
    private let columns: Int

    init(_ site: Site, weight: Parameter, bias: Parameter?) throws {
        self.site = site
        self.weight = weight
        self.bias = bias
        columns = site.output.value.blocks * Batch.lanes
        x = try Tensor([site.inputs[0].value.elements, columns])
        y = try Tensor([site.output.value.elements, columns])
    }

    private var kernels: Kernels { site.compute.kernels }
    private var inputs: Int { x.shape[0] }
    private var outputs: Int { y.shape[0] }

    func forward(training: Bool) {
        let (input, output) = (site.inputs[0].value, site.output.value)
        kernels.lanes_to_matrix(input.pointer, x.pointer, input.blocks, inputs)
        matrixProduct(
            weight.value.pointer, x.pointer, into: y.pointer, rows: outputs, inner: inputs, columns: columns)
        kernels.matrix_to_lanes(y.pointer, bias?.value.pointer, output.pointer, output.blocks, outputs)
    }

    func backward() {
        guard let dy = site.output.gradient else { return }
        kernels.lanes_to_matrix(dy.pointer, y.pointer, dy.blocks, outputs)
        if site.trains, let dw = weight.gradient {
            // Once more, because an earlier call of `backward` may have left dx in its place.
            let input = site.inputs[0].value
            kernels.lanes_to_matrix(input.pointer, x.pointer, input.blocks, inputs)
            matrixProduct(
                y.pointer, x.pointer, bTransposed: true, into: dw.pointer, rows: outputs, inner: columns,
                columns: inputs)
            if let db = bias?.gradient { kernels.channel_sums(dy.pointer, dy.blocks, outputs, 1, db.pointer, 0, outputs) }
        }
        if let dx = site.inputs[0].gradient {
            matrixProduct(
                weight.value.pointer, aTransposed: true, y.pointer, into: x.pointer, rows: inputs, inner: outputs,
                columns: columns)
            kernels.matrix_to_lanes(x.pointer, nil, dx.pointer, dx.blocks, inputs)
        }
    }
}
