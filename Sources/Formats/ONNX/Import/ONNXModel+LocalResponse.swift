/// PyTorch's exporters write LocalResponseNorm as a dozen operators, some of three dimensions or with subgraphs, which are not
/// read by themselves:
///
///     x / (bias + alpha mean(pad(x x)))^beta
extension ONNXModel {
    /// An operator of our own, of x, alpha, bias, beta and the padding, with the attribute size.
    static let spelledLRN = "LocalResponseNorm"

    /// With one such node in the place of each last division. What it was made of, nobody reads any more.
    func joiningLocalResponses() -> ONNXModel {
        guard nodes.contains(where: { $0.operation == "AveragePool" }) else { return self }
        var model = self
        var producers: [String: ONNXNode] = [:]
        for node in nodes {
            for output in node.outputs { producers[output] = node }
        }
        for place in nodes.indices {
            guard let joined = Self.localResponse(nodes[place], producers) else { continue }
            model.nodes[place] = joined
        }
        return model
    }

    private static func localResponse(_ node: ONNXNode, _ producers: [String: ONNXNode]) -> ONNXNode? {
        func made(_ name: String, by operation: String) -> ONNXNode? {
            guard let node = producers[name], node.operation == operation, node.domain.isEmpty,
                node.inputs.count >= (operation == "AveragePool" ? 1 : 2)
            else { return nil }
            return node
        }
        /// Past operators that give the same numbers in another shape. An If chooses between such, by the shape of its input.
        func passing(_ name: String, _ operations: Set<String>) -> String {
            var name = name
            for _ in 0..<8 {
                guard let node = producers[name], operations.contains(node.operation), let input = node.inputs.first else { break }
                name = input
            }
            return name
        }
        guard node.operation == "Div", node.domain.isEmpty, node.inputs.count == 2,
            let power = made(node.inputs[1], by: "Pow"), let sum = made(power.inputs[0], by: "Add"),
            let product = made(sum.inputs[0], by: "Mul"),
            let pool = made(
                passing(product.inputs[0], ["Reshape", "Squeeze", "If", "Equal", "Gather", "Shape"]), by: "AveragePool"),
            case .integers(let kernel)? = pool.attributes["kernel_shape"], kernel.count == 3, kernel[1...] == [1, 1],
            has(pool, "strides", 1), has(pool, "pads", 0), let padding = made(pool.inputs[0], by: "Pad"),
            let square = made(passing(padding.inputs[0], ["Reshape", "Unsqueeze"]), by: "Mul"),
            square.inputs == [node.inputs[0], node.inputs[0]]
        else { return nil }
        var joined = node
        joined.operation = spelledLRN
        joined.inputs = [node.inputs[0], product.inputs[1], sum.inputs[1], power.inputs[1], padding.inputs[1]]
        joined.attributes = ["size": .integer(kernel[0])]
        return joined
    }

    /// Whether a list is of this number alone, or absent.
    private static func has(_ node: ONNXNode, _ name: String, _ number: Int) -> Bool {
        guard case .integers(let list)? = node.attributes[name] else { return node.attributes[name] == nil }
        return list.allSatisfy { $0 == number }
    }
}
