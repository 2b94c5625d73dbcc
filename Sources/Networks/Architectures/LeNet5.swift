extension Graph {
    /// LeNet-5 as the paper uses it, with ReLU and max pooling: convolutions of 6 and 16 filters of 5 x 5, one of 120
    /// filters as large as what is left of the image (5 x 5 of 32 x 32), then 84 and `classes` units. The half network
    /// divides the widths by two; ZSKD's (Nayak et al. 2019) has 3 and 8, 120 and 84. The feature is the 120-vector
    /// after the third convolution.
    ///
    /// - Parameter widths: the four unless arguments give them.
    static func lenet5(_ architecture: Architecture, widths: [Int]) throws -> Graph {
        let range = 1...4096
        let (task, values) = try architecture.task(
            channels: 1, least: smallestLeNet5,
            [
                ("conv1", widths[0], range), ("conv2", widths[1], range), ("conv3", widths[2], range), ("fc1", widths[3], range),
            ])
        return lenet5(architecture.name, input: task.input, widths: values, classes: task.classes)
    }

    /// The side of the smallest images.
    static let smallestLeNet5 = 16

    /// - Parameter input: [channels, rows, columns], sides at least `smallestLeNet5`.
    static func lenet5(_ name: String, input: [Int], widths: [Int], classes: Int) -> Graph {
        let rest = input.dropFirst().map { (($0 - 4) / 2 - 4) / 2 }
        var graph = Graph(name, input: input)
        graph.add(.convolution, "conv1", ["outputs": .integer(widths[0]), "kernel": 5])
        graph.add(.relu)
        graph.add(.maxPool, ["window": 2])
        graph.add(.convolution, "conv2", ["outputs": .integer(widths[1]), "kernel": 5])
        graph.add(.relu)
        graph.add(.maxPool, ["window": 2])
        graph.add(.convolution, "conv3", ["outputs": .integer(widths[2]), "kernel": .extent(rest[0], rest[1])])
        graph.feature = graph.add(.relu)
        graph.add(.linear, "fc1", ["outputs": .integer(widths[3])])
        graph.add(.relu)
        graph.add(.linear, "fc2", ["outputs": .integer(classes)])
        return graph
    }
}

extension Attribute {
    /// One number where both are the same.
    static func extent(_ y: Int, _ x: Int) -> Attribute { y == x ? .integer(y) : .integers([y, x]) }
}
