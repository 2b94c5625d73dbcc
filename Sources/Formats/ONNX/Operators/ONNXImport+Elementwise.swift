import Networks
import Numerics

extension ONNXImport {
    /// Sums, products and the like of activations and constants, with numpy's broadcasting.
    func elementwise(_ operation: ONNXOperator, _ kind: String) throws -> ONNXValue {
        guard let first = operation.value(0) else { throw operation.malformed("lacks input 0") }
        var result = first
        for i in operation.values.indices.dropFirst() {
            guard let next = operation.value(i) else { throw operation.malformed("lacks input \(i)") }
            result = try combined(operation, kind, result, next)
        }
        return result
    }

    private func combined(_ operation: ONNXOperator, _ kind: String, _ a: ONNXValue, _ b: ONNXValue) throws -> ONNXValue {
        switch (a, b) {
        case (.activation(let a), .activation(let b)): return .activation(try combined(operation, kind, a, b))
        case (.activation(let a), .constant(let b)):
            return .activation(try merged(kind, a, b) ?? combined(operation, kind, a, b, isConstantFirst: false))
        case (.constant(let a), .activation(let b)):
            let commutes = kind != "subtract" && kind != "divide"
            return .activation(
                try (commutes ? merged(kind, b, a) : nil) ?? combined(operation, kind, b, a, isConstantFirst: true))
        case (.constant, .constant):
            throw operation.unsupported("has several constants; give it one")
        }
    }

    // MARK: Two activations

    private func combined(
        _ operation: ONNXOperator, _ kind: String, _ a: ONNXActivation, _ b: ONNXActivation
    ) throws -> ONNXActivation {
        if a.dimensions == b.dimensions, a.stored == b.stored, a.order == b.order {
            return a.computed(by: try add(kind, operation, [a.node, b.node]))
        }
        guard a.dimensions.count == b.dimensions.count else {
            throw operation.unsupported(
                "has operands of shapes \(a.dimensions) and \(b.dimensions) behind the batch, which would mix samples")
        }
        let dimensions = try broadcast([a.dimensions, b.dimensions], operation)
        // As the larger one is stored, so that the smaller one is what is moved.
        let isFirstLarger = a.count >= b.count
        let (large, axes) = try explicit(isFirstLarger ? a : b)
        let other = try stored(isFirstLarger ? b : a, like: large, axes)
        let nodes = isFirstLarger ? [large.node, other] : [other, large.node]
        var result = large.computed(by: try add(kind, operation, nodes))
        for (axis, place) in axes.enumerated() { result.stored[place] = dimensions[axis] }
        result.dimensions = dimensions
        return result
    }

    /// The node that gives an activation with its axes where another of the same rank has them.
    func stored(_ activation: ONNXActivation, like other: ONNXActivation, _ axes: [Int]) throws -> String {
        let (activation, own) = try explicit(activation)
        let layout = other.layout(axes)
        let turned = activation.permuted(layout.compactMap { $0 }, own)
        return try arrange(turned, as: layout.map { axis in axis.map { activation.dimensions[$0] } ?? 1 })
    }

    // MARK: An activation and a constant

    /// One number, or one for each place of the first axis, which is not the batch; nil for any other shape.
    func channelwise(_ constant: ONNXTensor, _ image: ONNXActivation) -> ONNXTensor? {
        if constant.count == 1 { return constant }
        let rank = image.dimensions.count + 1
        let padded = [Int](repeating: 1, count: max(rank - constant.dimensions.count, 0)) + constant.dimensions
        guard padded.count == rank, padded[1] == constant.count, constant.count == image.dimensions[0] else { return nil }
        return constant.reshaped([constant.count])
    }

    /// Takes a constant into the weights of the convolution, linear layer, batch or group normalisation before; nil when it
    /// does not fit there.
    private func merged(_ kind: String, _ input: ONNXActivation, _ constant: ONNXTensor) throws -> ONNXActivation? {
        guard !input.isShared, let node = node(input.node), [.convolution, .linear, .batchNorm, .groupNorm].contains(node.kind),
            !constant.isWhole, !sharing.contains(node.name)
        else { return nil }
        // Where the outputs are in ONNX's view.
        let place = node.kind == .linear ? input.stored.count - 1 : 0
        guard let axis = input.axes?.firstIndex(of: place) else { return nil }
        let outputs = input.stored[place]
        let rank = input.dimensions.count + 1
        guard constant.dimensions.count <= rank else { return nil }
        let padded = [Int](repeating: 1, count: rank - constant.dimensions.count) + constant.dimensions
        guard padded.indices.allSatisfy({ padded[$0] == 1 || $0 == axis + 1 && padded[$0] == outputs }) else { return nil }
        func number(_ numbers: Tensor, _ output: Int) -> Float { numbers[constant.count == 1 ? 0 : output] }

        let hasBias = node.attributes["bias"] != false
        guard ["add", "subtract", "multiply", "divide"].contains(kind) else { return nil }
        altered.insert(node.name)
        switch kind {
        case "add", "subtract":
            if !hasBias { setAttribute("bias", true, of: node.name) }
            let sign: Float = kind == "add" ? 1 : -1
            fill("\(node.name).bias") { tensor in
                let numbers = try constant.floats()
                for output in 0..<outputs { tensor[output] += sign * number(numbers, output) }
            }
        default:
            for suffix in hasBias ? ["weight", "bias"] : ["weight"] {
                fill("\(node.name).\(suffix)") { tensor in
                    let (numbers, row) = (try constant.floats(), tensor.count / outputs)
                    for output in 0..<outputs {
                        let factor = number(numbers, output)
                        for i in output * row..<(output + 1) * row {
                            tensor[i] = kind == "multiply" ? tensor[i] * factor : tensor[i] / factor
                        }
                    }
                }
            }
        }
        return input
    }

    private func combined(
        _ operation: ONNXOperator, _ kind: String, _ input: ONNXActivation, _ constant: ONNXTensor, isConstantFirst: Bool
    ) throws -> ONNXActivation {
        let (input, axes) = try explicit(input)
        let rank = input.dimensions.count + 1
        guard constant.dimensions.count <= rank else {
            throw operation.unsupported("has a constant of shape \(constant.dimensions) on \(rank) dimensions")
        }
        let padded = [Int](repeating: 1, count: rank - constant.dimensions.count) + constant.dimensions
        guard padded[0] == 1 else {
            throw operation.unsupported(
                "has a constant of shape \(constant.dimensions), one part for each sample of a batch")
        }
        let own = Array(padded.dropFirst())
        let dimensions = try broadcast([input.dimensions, own], operation)
        // Its axes where the input has them.
        let (layout, strides) = (input.layout(axes), strides(of: own))
        let turned = layout.map { axis in axis.map { own[$0] } ?? 1 }
        let steps = layout.map { axis in axis.map { strides[$0] } ?? 0 }
        let shape = constant.count == 1 ? [1] : turned
        let node = try add("constant", operation, [], ["shape": .integers(shape)], suffix: "_constant")
        if constant.count == 1 { scalars[node] = try constant.float() }
        fill("\(node).value") { tensor in
            let numbers = try constant.floats()
            var places = ONNXOdometer(sizes: turned, strides: steps)
            for i in 0..<tensor.count { tensor[i] = numbers[places.next() ?? 0] }
        }
        let nodes = isConstantFirst ? [node, input.node] : [input.node, node]
        var result = input.computed(by: try add(kind, operation, nodes))
        for (axis, place) in axes.enumerated() { result.stored[place] = dimensions[axis] }
        result.dimensions = dimensions
        return result
    }
}
