import LaneKernels
import Numerics

/// A network at work on one image at a time, in rows as the host gives it: for the shortest answer to a single question.
///
/// A `Pass` works on sixteen images in the lanes of its vectors, and for one image takes as long as for sixteen.
package final class SingleImagePass {
    private let network: Network
    private let input: UnsafeFloatMemory
    private var operations: [(UnsafeMutablePointer<Float>, UnsafeMutablePointer<Float>) -> Void] = []
    private var buffers: [UnsafeFloatMemory] = []

    /// nil when the network branches or has a layer that this cannot do; a `Pass` can do all.
    package init?(_ network: Network, _ compute: Compute) throws {
        self.network = network
        input = try Self.buffer(network.inputShape)
        for (index, node) in network.nodes.enumerated() {
            guard node.inputs == [index - 1], let layer = node.layer as? any SingleImageLayer,
                let operation = layer.single(
                    input: index > 0 ? network.nodes[index - 1].outputShape : network.inputShape,
                    output: node.outputShape, compute.kernels)
            else { return nil }
            operations.append(operation)
            buffers.append(try Self.buffer(node.outputShape))
        }
    }

    /// From one image to `outputs`.
    package func predict(_ image: UnsafePointer<Float>, outputs: UnsafeMutablePointer<Float>) {
        input.start.update(from: image, count: network.inputShape.count)
        var from = input.start
        for (operation, buffer) in zip(operations, buffers) {
            operation(from, buffer.start)
            from = buffer.start
        }
        outputs.update(from: from, count: network.outputShape.count)
    }

    /// Room for a shape's numbers, up to whole vectors, and for what kernels read and write behind them.
    private static func buffer(_ shape: Shape) throws -> UnsafeFloatMemory {
        try UnsafeFloatMemory(count: wholeVectors(shape.count) + Int(SINGLE_SLACK))
    }
}

/// A layer that can work on one image in rows.
protocol SingleImageLayer: Layer {
    /// The work, from the input's numbers to the output's; nil when this layer cannot.
    func single(
        input: Shape, output: Shape, _ kernels: Kernels
    ) -> ((UnsafeMutablePointer<Float>, UnsafeMutablePointer<Float>) -> Void)?
}

private func wholeVectors(_ count: Int) -> Int { (count + Batch.lanes - 1) / Batch.lanes * Batch.lanes }

extension Convolution: SingleImageLayer {
    func single(
        input: Shape, output: Shape, _ kernels: Kernels
    ) -> ((UnsafeMutablePointer<Float>, UnsafeMutablePointer<Float>) -> Void)? {
        guard geometry.stride.isBoth(1), geometry.padding == .none, geometry.dilation.isBoth(1), geometry.groups == 1
        else { return nil }
        let (weight, bias) = (weight.value, bias?.value)
        if output.count == geometry.outputs {  // the kernel covers the whole input
            let (inputs, outputs) = (input.count, geometry.outputs)
            return { x, y in kernels.single_linear(x, weight.pointer, bias?.pointer, y, inputs, outputs) }
        }
        let shape = geometry.sizes(from: input, to: output)
        return { x, y in
            withUnsafePointer(to: shape) { kernels.single_convolve($0, x, weight.pointer, bias?.pointer, y) }
        }
    }
}

extension Linear: SingleImageLayer {
    func single(
        input: Shape, output: Shape, _ kernels: Kernels
    ) -> ((UnsafeMutablePointer<Float>, UnsafeMutablePointer<Float>) -> Void)? {
        guard positions == 1 else { return nil }
        let (weight, bias, inputs, outputs) = (weight.value, bias?.value, input.count, output.count)
        return { x, y in kernels.single_linear(x, weight.pointer, bias?.pointer, y, inputs, outputs) }
    }
}

extension LeakyReLU: SingleImageLayer {
    func single(
        input: Shape, output: Shape, _ kernels: Kernels
    ) -> ((UnsafeMutablePointer<Float>, UnsafeMutablePointer<Float>) -> Void)? {
        let (slope, count) = (slope, wholeVectors(input.count))
        return { x, y in kernels.leaky_relu(x, y, slope, count) }
    }
}

extension Pooling: SingleImageLayer {
    func single(
        input: Shape, output: Shape, _ kernels: Kernels
    ) -> ((UnsafeMutablePointer<Float>, UnsafeMutablePointer<Float>) -> Void)? {
        guard kind == .max, staysInside else { return nil }
        let shape = shape(input: input, output: output)
        return { x, y in withUnsafePointer(to: shape) { kernels.single_max_pool($0, x, y) } }
    }
}

extension Reshape: SingleImageLayer {
    func single(
        input: Shape, output: Shape, _ kernels: Kernels
    ) -> ((UnsafeMutablePointer<Float>, UnsafeMutablePointer<Float>) -> Void)? {
        { x, y in y.update(from: x, count: input.count) }
    }
}

extension UnitScaling: SingleImageLayer {
    func single(
        input: Shape, output: Shape, _ kernels: Kernels
    ) -> ((UnsafeMutablePointer<Float>, UnsafeMutablePointer<Float>) -> Void)? {
        let (count, places) = (input.count, units.count)
        return { x, y in
            let pixels = count / places
            for place in 0..<places {
                let (scale, shift) = self.line(place)
                for i in place * pixels..<(place + 1) * pixels { y[i] = scale * x[i] + shift }
            }
        }
    }
}
