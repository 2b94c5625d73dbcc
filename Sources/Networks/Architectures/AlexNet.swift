extension Graph {
    /// AlexNet in the form of "One weird trick" (Krizhevsky 2014), with torchvision's names: its network and its
    /// weights are torchvision's at side 224. The first convolution strides by 4 at sides from 63, by 2 from 35 and not
    /// at all below, so that something is left for the last pooling. What is left is flattened, whatever its size. The
    /// half network has half the filters and half the hidden units. The feature is the last hidden layer.
    static func alexNet(_ architecture: Architecture, divisor: Int) throws -> Graph {
        let (task, others) = try architecture.task(
            rows: 224, columns: 224, least: 21, [("hidden", 4096 / divisor, 1...Architecture.limit)])
        let side = min(task.rows, task.columns)
        let stride = side >= 63 ? 4 : side >= 35 ? 2 : 1
        let pool: [String: Attribute] = ["window": 3, "stride": 2]

        var graph = Graph(architecture.name, input: task.input)
        func convolution(_ place: Int, _ outputs: Int, kernel: Int, stride: Int = 1, padding: Int) {
            graph.add(
                .convolution, "features.\(place)",
                [
                    "outputs": .integer(outputs / divisor), "kernel": .integer(kernel), "stride": .integer(stride),
                    "padding": .integer(padding),
                ])
            graph.add(.relu)
        }
        convolution(0, 64, kernel: 11, stride: stride, padding: 2)
        graph.add(.maxPool, pool)
        convolution(3, 192, kernel: 5, padding: 2)
        graph.add(.maxPool, pool)
        convolution(6, 384, kernel: 3, padding: 1)
        convolution(8, 256, kernel: 3, padding: 1)
        convolution(10, 256, kernel: 3, padding: 1)
        graph.add(.maxPool, pool)
        graph.addHiddenLayers(["classifier.1", "classifier.4"], others[0], "classifier.6", classes: task.classes)
        return graph
    }

    /// Linear layers with ReLU, and one to the classes, which takes the feature.
    mutating func addHiddenLayers(_ names: [String], _ units: Int, _ last: String, classes: Int) {
        for name in names {
            add(.linear, name, ["outputs": .integer(units)])
            feature = add(.relu)
        }
        add(.linear, last, ["outputs": .integer(classes)])
    }
}
