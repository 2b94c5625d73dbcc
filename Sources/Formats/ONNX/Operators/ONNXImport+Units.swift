import Networks

/// The units of inputs, (x - mean) / deviation, in files that the library wrote, by the names that it gives them:
/// `ONNXExport+Layers.swift` has the other way.
///
/// In files of others the same may be numbers of a range and not what inputs are like, which only the host can say; nor is it when the
/// library has written such a file anew.
extension ONNXImport {
    func difference(_ operation: ONNXOperator) throws -> ONNXValue {
        let result = try elementwise(operation, "subtract")
        if model.isOwn, case .activation(let input)? = operation.value(0), input.node == Graph.input, input.isInOrder, !input.isShared,
            case .activation(let difference) = result, let mean = operation.value(1)?.constant,
            channelwise(mean, input) != nil || mean.dimensions.suffix(input.dimensions.count) == input.dimensions[...]
        {
            means[difference.node] = (operation.node.name, mean)
        }
        return result
    }

    func quotient(_ operation: ONNXOperator) throws -> ONNXValue {
        guard case .activation(let difference)? = operation.value(0), !difference.isShared, difference.isInOrder,
            difference.stored == graph.inputShape, let (name, mean) = means[difference.node], name == "\(operation.node.name)/Sub",
            let deviation = operation.value(1)?.constant, deviation.dimensions == mean.dimensions, try isDeviation(deviation)
        else { return try elementwise(operation, "divide") }
        let node = try add(
            "units", operation, [Graph.input], ["count": .integer(mean.count), "direction": "standardising"])
        fill("input.mean", mean)
        fill("input.deviation", deviation)
        return .activation(difference.computed(by: node))
    }

    private func isDeviation(_ constant: ONNXTensor) throws -> Bool {
        let numbers = try constant.floats()
        return (0..<numbers.count).allSatisfy { Parameter.Allowed.finiteAndPositive.contains(numbers[$0]) }
    }
}
