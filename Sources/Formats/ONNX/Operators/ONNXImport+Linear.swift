import Networks
import Numerics

extension ONNXImport {
    /// Y = alpha A B + beta C, with a constant B and C.
    func gemm(_ operation: ONNXOperator) throws -> ONNXValue {
        let (input, weight) = (try operation.activation(0), try operation.constant(1))
        guard try !operation.flag("transA", or: false) else {
            throw operation.unsupported("transposes its input, which would mix samples")
        }
        guard input.dimensions.count == 1, weight.dimensions.count == 2 else {
            throw operation.malformed("has an input of shape \(input.dimensions) behind the batch; it needs a vector")
        }
        let isTransposed = try operation.flag("transB", or: false)
        var bias: ONNXTensor?
        if let constant = try operation.optionalConstant(2) {
            let outputs = weight.dimensions[isTransposed ? 0 : 1]
            guard constant.count == 1 || (constant.count == outputs && constant.dimensions.last == outputs) else {
                throw operation.unsupported("has a C of shape \(constant.dimensions); one number an output is read")
            }
            bias = constant
        }
        let result = try linear(
            operation, input, weight, isTransposed: isTransposed, scale: operation.float("alpha", or: 1), bias: bias,
            biasScale: operation.float("beta", or: 1))
        return .activation(result)
    }

    func matMul(_ operation: ONNXOperator) throws -> ONNXValue {
        if let weight = operation.value(0)?.constant { return try matMul(operation, left: weight) }
        let input = try operation.activation(0)
        guard operation.value(1)?.activation == nil else {
            throw operation.unsupported("multiplies two tensors that depend on the network's input; \(ONNXImport.wayOut)")
        }
        let weight = try operation.constant(1)
        guard let matrix = matrix(weight) else {
            throw operation.unsupported("has weights of shape \(weight.dimensions); a matrix is read")
        }
        return .activation(try linear(operation, input, matrix, isTransposed: false))
    }

    /// W x for each of the other axes: a linear layer on the second last axis.
    private func matMul(_ operation: ONNXOperator, left weight: ONNXTensor) throws -> ONNXValue {
        let input = try operation.activation(1)
        guard let matrix = matrix(weight), input.dimensions.count >= 2 else {
            throw operation.unsupported(
                "has weights of shape \(weight.dimensions) on the left; a matrix, of images, is read")
        }
        let swapped = try swappingLast(input)
        let result = try linear(operation, swapped, matrix, isTransposed: true, weightInput: 0)
        return .activation(try swappingLast(result))
    }

    private func matrix(_ weight: ONNXTensor) -> ONNXTensor? {
        let rank = weight.dimensions.count
        guard rank >= 2, weight.dimensions.dropLast(2).allSatisfy({ $0 == 1 }) else { return nil }
        return weight.reshaped(Array(weight.dimensions.suffix(2)))
    }

    private func swappingLast(_ activation: ONNXActivation) throws -> ONNXActivation {
        let (activation, axes) = try explicit(activation)
        var permutation = Array(axes.indices)
        permutation.swapAt(axes.count - 1, axes.count - 2)
        return activation.permuted(permutation, axes)
    }

    /// - Parameters:
    ///   - weight: [inputs, outputs], or [outputs, inputs] if it is transposed.
    ///   - bias: one number, or one an output.
    private func linear(
        _ operation: ONNXOperator, _ input: ONNXActivation, _ weight: ONNXTensor, isTransposed: Bool, scale: Float = 1,
        bias: ONNXTensor? = nil, biasScale: Float = 1, weightInput: Int = 1
    ) throws -> ONNXActivation {
        let (inputs, outputs) = (weight.dimensions[isTransposed ? 1 : 0], weight.dimensions[isTransposed ? 0 : 1])
        guard input.dimensions.last == inputs, inputs > 0, outputs > 0, Self.extents.contains(outputs) else {
            throw operation.malformed("has weights of shape \(weight.dimensions) on an input of shape \(input.dimensions)")
        }
        var attributes: [String: Attribute] = ["outputs": .integer(outputs)]
        if bias == nil { attributes["bias"] = false }
        let isWhole = input.count == inputs
        var (node, stored, columns) = (input.node, [outputs], input.isInOrder ? nil : input.places())
        if !isWhole {
            attributes["axis"] = "last"
            (node, columns) = (try arrange(input, as: input.dimensions), nil)
            stored = input.dimensions.dropLast() + [outputs]
        }
        let reading = "\(isTransposed) \(scale) \(biasScale) \(columns == nil ? "" : "\(input.stored) \(input.order)")"
        node = try add("linear", operation, [node], attributes, weight: weightInput, reading: reading)
        fill("\(node).weight") { tensor in
            if let number = weight.repeated { return tensor.fill(scale * number) }
            let numbers = try weight.floats()
            // From the order in which ONNX has the inputs to that in which they are stored.
            var places = columns ?? ONNXOdometer(sizes: [inputs], strides: [1])
            for i in 0..<inputs {
                let place = places.next() ?? i
                for o in 0..<outputs {
                    tensor[o * inputs + place] = scale * numbers[isTransposed ? o * inputs + i : i * outputs + o]
                }
            }
        }
        if let bias {
            fill("\(node).bias") { tensor in
                let numbers = try bias.floats()
                for o in 0..<outputs { tensor[o] = biasScale * numbers[bias.count == 1 ? 0 : o] }
            }
        }
        return ONNXActivation(node, stored, dimensions: input.dimensions.dropLast() + [outputs])
    }
}
