import Networks
import Numerics

extension ONNXImport {
    private func channelConstants(_ operation: ONNXOperator, _ inputs: ClosedRange<Int>, _ count: Int) throws
        -> [ONNXTensor]
    {
        try inputs.map { i in
            let constant = try operation.constant(i)
            guard constant.count == count else {
                throw operation.malformed("has \(constant.count) numbers as input \(i) for \(count) channels")
            }
            return constant
        }
    }

    func batchNormalization(_ operation: ONNXOperator) throws -> ONNXValue {
        guard try !operation.flag("training_mode", or: false),
            operation.node.outputs.dropFirst().allSatisfy(\.isEmpty) || operation.opset >= 9
        else { throw operation.unsupported("is exported for training; export the model for inference") }
        let image = try image(operation.activation(0), operation)
        let constants = try channelConstants(operation, 1...4, image.stored[0])
        let (epsilon, momentum) = (try operation.float("epsilon", or: 1e-5), try operation.float("momentum", or: 0.9))
        // ONNX counts what is kept of the old statistics, PyTorch the new ones' share.
        let node = try add(
            "batch_norm", operation, [image.node],
            ["epsilon": .number(Double(epsilon)), "momentum": .number(min(max(1 - Double(momentum), 0), 1))], weight: 1)
        for (suffix, constant) in zip(["weight", "bias", "running_mean", "running_var"], constants) {
            fill("\(node).\(suffix)", constant)
        }
        return .activation(image.computed(by: node))
    }

    func instanceNormalization(_ operation: ONNXOperator) throws -> ONNXValue {
        let image = try image(operation.activation(0), operation)
        let constants = try channelConstants(operation, 1...2, image.stored[0])
        let node = try add(
            "instance_norm", operation, [image.node], ["epsilon": number(operation, "epsilon", 1e-5), "affine": true],
            weight: 1)
        for (suffix, constant) in zip(["weight", "bias"], constants) { fill("\(node).\(suffix)", constant) }
        return .activation(image.computed(by: node))
    }

    func groupNormalization(_ operation: ONNXOperator) throws -> ONNXValue {
        let image = try image(operation.activation(0), operation)
        let (channels, groups) = (image.stored[0], try operation.integer("num_groups", or: 1))
        guard groups >= 1, channels % groups == 0 else {
            throw operation.malformed("has \(groups) groups of \(channels) channels")
        }
        let constants = try channelConstants(operation, 1...2, operation.opset < 21 ? groups : channels)
        let node = try add(
            "group_norm", operation, [image.node],
            ["groups": .integer(groups), "epsilon": number(operation, "epsilon", 1e-5)], weight: 1)
        let share = operation.opset < 21 ? channels / groups : 1
        for (suffix, constant) in zip(["weight", "bias"], constants) {
            fill("\(node).\(suffix)") { tensor in
                let numbers = try constant.floats()
                for channel in 0..<channels { tensor[channel] = numbers[channel / share] }
            }
        }
        return .activation(image.computed(by: node))
    }

    func layerNormalization(_ operation: ONNXOperator) throws -> ONNXValue {
        let input = try operation.activation(0)
        let axis = try operation.sampleAxis(operation.integer("axis", or: -1), of: input)
        let shape = Array(input.dimensions[axis...])
        let (scale, bias) = (try operation.constant(1), try operation.optionalConstant(2))
        let count = shape.reduce(1, *)
        guard scale.count == count, bias.map({ $0.count == count }) ?? true else {
            throw operation.unsupported("has a scale of shape \(scale.dimensions) for axes of \(shape)")
        }
        let node = try add(
            "layer_norm", operation, [arrange(input, as: input.dimensions)],
            ["dimensions": .integer(shape.count), "epsilon": number(operation, "epsilon", 1e-5)], weight: 1)
        fill("\(node).weight", scale)
        if let bias { fill("\(node).bias", bias) }
        return .activation(ONNXActivation(node, input.dimensions))
    }

    func localResponse(_ operation: ONNXOperator) throws -> ONNXValue {
        let image = try image(operation.activation(0), operation)
        let node = try add(
            "lrn", operation, [image.node],
            [
                "size": .integer(operation.integer("size", or: 1)), "alpha": number(operation, "alpha", 1e-4),
                "beta": number(operation, "beta", 0.75), "bias": number(operation, "bias", 1),
            ])
        return .activation(image.computed(by: node))
    }
}
