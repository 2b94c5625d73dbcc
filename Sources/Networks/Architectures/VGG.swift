extension Graph {
    /// VGG with batch normalisation and torchvision's names ("features.0.weight"): five groups of 3 x 3 convolutions
    /// with 64, 128, 256, 512 and 512 filters, with a max pooling behind each.
    ///
    /// With `hidden=4096` at side 224 it is torchvision's vgg..._bn. Without, as is usual for small images, one linear
    /// layer, "classifier", takes the mean over what is left of the image, which is one pixel of 32 x 32. A side that
    /// has come down to one pixel is not pooled any more. The feature is what the last linear layer takes.
    ///
    /// - Parameter convolutions: in each group.
    static func vgg(_ architecture: Architecture, convolutions: [Int]) throws -> Graph {
        let (task, others) = try architecture.task([("hidden", 0, 0...Architecture.limit)])
        var graph = Graph(architecture.name, input: task.input)
        var (place, rows, columns) = (0, task.rows, task.columns)
        for (count, outputs) in zip(convolutions, [64, 128, 256, 512, 512]) {
            for _ in 0..<count {
                graph.addConvolution(
                    "features.\(place)", norm: "features.\(place + 1)", outputs: outputs, kernel: 3, bias: true)
                place += 3
            }
            graph.add(.maxPool, ["window": .extent(min(2, rows), min(2, columns))])
            (place, rows, columns) = (place + 1, max(1, rows / 2), max(1, columns / 2))
        }
        if others[0] == 0 {
            graph.addClassifier("classifier", classes: task.classes)
        } else {
            graph.addHiddenLayers(["classifier.0", "classifier.3"], others[0], "classifier.6", classes: task.classes)
        }
        return graph
    }
}
