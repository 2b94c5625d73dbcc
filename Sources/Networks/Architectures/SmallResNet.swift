extension Graph {
    /// The ResNets that He et al. made for CIFAR: three stages of 16, 32 and 64 channels, the mean over what is left of
    /// the image, one linear layer. Names are those of github.com/akamaster/pytorch_resnet_cifar10, and so are the
    /// shortcuts where the shape changes: every second pixel and zeros for new channels, the paper's option A, or with
    /// `projection=1` option B, a 1 x 1 convolution with batch normalisation. `width=` is the first stage's channels.
    /// The feature is the pooled vector.
    ///
    /// - Parameter blocks: in each stage; the depth is 6 blocks + 2.
    static func smallResNet(_ architecture: Architecture, blocks: Int) throws -> Graph {
        let (task, others) = try architecture.task([("width", 16, 1...4096), ("projection", 0, 0...1)])
        let (width, projects) = (others[0], others[1] == 1)

        var graph = Graph(architecture.name, input: task.input)
        graph.addConvolution("conv1", norm: "bn1", outputs: width, kernel: 3)
        for stage in 0..<3 {
            for block in 0..<blocks {
                let (name, input, outputs) = ("layer\(stage + 1).\(block)", graph.last, width << stage)
                let isFirst = stage > 0 && block == 0
                graph.addConvolution(
                    "\(name).conv1", norm: "\(name).bn1", outputs: outputs, kernel: 3, stride: isFirst ? 2 : 1)
                let residual = graph.addConvolution(
                    "\(name).conv2", norm: "\(name).bn2", outputs: outputs, kernel: 3, nil)
                var shortcut = input
                if isFirst, projects {
                    shortcut = graph.addConvolution(
                        "\(name).shortcut.0", norm: "\(name).shortcut.1", inputs: [input], outputs: outputs, kernel: 1,
                        stride: 2, nil)
                } else if isFirst {
                    let added = outputs / 2
                    graph.add(.maxPool, inputs: [input], ["window": 1, "stride": 2])
                    shortcut = graph.add(
                        .pad, ["before": .integers([added / 2, 0, 0]), "after": .integers([added - added / 2, 0, 0])])
                }
                graph.add(.add, inputs: [residual, shortcut])
                graph.add(.relu)
            }
        }
        graph.addClassifier("linear", classes: task.classes)
        return graph
    }
}
