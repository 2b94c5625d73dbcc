import Numerics

extension Graph {
    /// LeNet-5 as the paper uses it, on [channels, 32, 32], with ReLU and max pooling: convolutions of 6, 16 and 120
    /// filters of 5 x 5, then 84 and `classes` units. The half network divides the widths by two. The feature is the
    /// 120-vector after the third convolution.
    static func lenet5(_ architecture: Architecture, divisor: Int) throws -> Graph {
        let values = try architecture.values([("channels", 1, 1...Architecture.limit), ("classes", 10, 2...Architecture.limit)])
        let (channels, classes) = (values[0], values[1])
        let widths = [6, 16, 120, 84].map { $0 / divisor }

        var graph = Graph(architecture.name, input: [channels, 32, 32])
        graph.add(.convolution, "conv1", ["outputs": .integer(widths[0]), "kernel": 5])
        graph.add(.relu)
        graph.add(.maxPool, ["window": 2])
        graph.add(.convolution, "conv2", ["outputs": .integer(widths[1]), "kernel": 5])
        graph.add(.relu)
        graph.add(.maxPool, ["window": 2])
        graph.add(.convolution, "conv3", ["outputs": .integer(widths[2]), "kernel": 5])
        graph.feature = graph.add(.relu)
        graph.add(.linear, "fc1", ["outputs": .integer(widths[3])])
        graph.add(.relu)
        graph.add(.linear, "fc2", ["outputs": .integer(classes)])
        return graph
    }
}
