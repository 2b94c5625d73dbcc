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
        if let grouped = try groupsAsInstances(operation) { return .activation(grouped) }
        let image = try image(operation.activation(0), operation)
        let constants = try channelConstants(operation, 1...2, image.stored[0])
        let node = try add(
            "instance_norm", operation, [image.node], ["epsilon": number(operation, "epsilon", 1e-5), "affine": true],
            weight: 1)
        for (suffix, constant) in zip(["weight", "bias"], constants) { fill("\(node).\(suffix)", constant) }
        return .activation(image.computed(by: node))
    }

    /// Group normalisation as exporters spell it, of an image seen as [groups, all else], whose scales come later: the same
    /// view of a node that keeps the image's shape. nil where it is none.
    private func groupsAsInstances(_ operation: ONNXOperator) throws -> ONNXActivation? {
        let input = try operation.activation(0)
        guard input.dimensions.count == 2, input.stored != input.dimensions, input.isInOrder, let channels = input.stored.first,
            case let groups = input.dimensions[0], groups >= 1, channels % groups == 0
        else { return nil }
        for (constant, number) in zip(try channelConstants(operation, 1...2, groups), [Float(1), 0]) {
            let numbers = try constant.floats()
            guard (0..<groups).allSatisfy({ numbers[$0] == number }) else { return nil }
        }
        let node = try add(
            "group_norm", operation, [input.node],
            ["groups": .integer(groups), "epsilon": number(operation, "epsilon", 1e-5)])
        return input.computed(by: node)
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

    /// What `ONNXModel.joiningLocalResponses` made of the operators that PyTorch's exporters spell it with.
    func spelledLocalResponse(_ operation: ONNXOperator) throws -> ONNXValue {
        let image = try image(operation.activation(0), operation)
        let size = try operation.integer("size", or: 0)
        let border = [0, 0, size / 2, 0, 0, 0, 0, (size - 1) / 2, 0, 0]
        guard image.dimensions.count == 3, size >= 1, try operation.constant(4).list() == border else {
            throw operation.unsupported("divides by a mean over other channels than local response normalisation does")
        }
        guard size % 2 == 1 else {
            throw operation.unsupported(
                "normalises by \(size) channels, an even number, of which PyTorch takes more before and ONNX more behind")
        }
        func number(_ input: Int) throws -> Attribute { .number(Double(try operation.constant(input).float())) }
        let node = try add(
            "lrn", operation, [image.node],
            ["size": .integer(size), "alpha": number(1), "bias": number(2), "beta": number(3)])
        return .activation(image.computed(by: node))
    }

    func localResponse(_ operation: ONNXOperator) throws -> ONNXValue {
        let image = try image(operation.activation(0), operation)
        guard operation.node.attributes["size"] != nil else { throw operation.malformed("has no size") }
        let node = try add(
            "lrn", operation, [image.node],
            [
                "size": .integer(operation.integer("size", or: 1)), "alpha": number(operation, "alpha", 1e-4),
                "beta": number(operation, "beta", 0.75), "bias": number(operation, "bias", 1),
            ])
        return .activation(image.computed(by: node))
    }
}
