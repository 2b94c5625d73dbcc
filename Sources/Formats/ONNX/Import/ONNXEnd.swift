import Networks

/// What a file does to logits at its end, which the network leaves to those who read its output.
struct ONNXEnd {
    private static let passing: Set = [
        "Identity", "Cast", "Dropout", "QuantizeLinear", "DequantizeLinear", "Reshape", "Squeeze", "Unsqueeze", "Flatten",
    ]

    /// The softmax or sigmoid; nil when there is none.
    let node: Int?
    /// What follows it.
    let tail: Set<Int>
    let head: Graph.Interface.Head

    init(_ model: ONNXModel, _ plan: ONNXPlan, output: String) {
        var (tail, name): (Set<Int>, String) = ([], output)
        while let place = plan.producers[name] {
            let node = model.nodes[place]
            switch node.operation {
            case "Softmax", "LogSoftmax":
                (self.node, self.tail, head) = (place, tail, node.operation == "Softmax" ? .softmax : .logSoftmax)
                return
            case "Sigmoid":
                (self.node, self.tail, head) = (place, tail, .sigmoid)
                return
            case _ where Self.passing.contains(node.operation) && tail.insert(place).inserted:
                name = node.inputs.first ?? ""
            default:
                (self.node, self.tail, head) = (nil, [], .none)
                return
            }
        }
        (self.node, self.tail, head) = (nil, [], .none)
    }
}

/// The input of the last linear layer, or of a 1 x 1 convolution of one pixel, which is the same.
struct ONNXFeature {
    /// nil when there is none, or it is the network's input.
    let node: String?

    /// What may stand between the layer and the output.
    private static let passing: Set = [
        "reshape", "flatten", "transpose", "fake_quantize", "add", "subtract", "multiply", "divide", "softmax", "clip",
        "dropout",
    ]

    /// - Parameters:
    ///   - places: of the graph's nodes, by their names.
    ///   - pixels: convolutions whose input is one pixel.
    init(_ graph: Graph, places: [String: Int], pixels: Set<String>) {
        var name = graph.output ?? graph.last
        while let place = places[name] {
            let node = graph.nodes[place]
            let inputs = node.inputs.filter { input in places[input].map { graph.nodes[$0].inputs.isEmpty } != true }
            guard inputs.count == 1, let input = inputs.first else { break }
            if node.kind == .linear || pixels.contains(name) {
                self.node = input == Graph.input ? nil : input
                return
            }
            guard Self.passing.contains(node.kind.rawValue) else { break }
            name = input
        }
        node = nil
    }
}
