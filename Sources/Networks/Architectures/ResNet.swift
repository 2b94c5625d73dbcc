import Numerics

extension Graph {
    /// ResNet for small images (He et al. 2016), as the papers run it on CIFAR: [channels, side, side], a 3 x 3 stem without
    /// pooling, four stages of basic blocks with 64 to 512 channels, the mean over what is left of the image, and one linear
    /// layer. Names are torchvision's. The feature is the pooled 512-vector.
    ///
    /// - Parameter blocks: in each stage; 2, 2, 2, 2 for ResNet-18 and 3, 4, 6, 3 for ResNet-34.
    static func resNet(_ architecture: Architecture, blocks: [Int]) throws -> Graph {
        let values = try architecture.values([
            ("side", 32, 8...4096), ("channels", 3, 1...4096), ("classes", 10, 2...Architecture.limit),
        ])
        let (side, channels, classes) = (values[0], values[1], values[2])
        guard side % 8 == 0 else {
            throw DaflError.invalid("side of architecture \"\(architecture.text)\"", side, "divisible by 8")
        }

        var graph = Graph(architecture.name, input: [channels, side, side])
        graph.add(.convolution, "conv1", ["outputs": 64, "kernel": 3, "padding": 1, "bias": false])
        graph.add(.batchNorm, "bn1")
        graph.add(.relu)
        var width = 64
        for (stage, count) in blocks.enumerated() {
            let outputs = 64 << stage
            for block in 0..<count {
                graph.addBasicBlock(
                    "layer\(stage + 1).\(block)", inputs: width, outputs: outputs, stride: stage > 0 && block == 0 ? 2 : 1)
                width = outputs
            }
        }
        graph.add(.averagePool, ["window": .integer(side / 8)])
        graph.feature = graph.add(.flatten)
        graph.add(.linear, "fc", ["outputs": .integer(classes)])
        return graph
    }

    /// relu(bn2(conv2(relu(bn1(conv1(x))))) + shortcut(x)); the shortcut is x itself, or where the shape changes a 1 x 1
    /// convolution with batch normalisation.
    private mutating func addBasicBlock(_ name: String, inputs: Int, outputs: Int, stride: Int) {
        let input = last
        let (width, stride) = (Attribute.integer(outputs), Attribute.integer(stride))
        add(.convolution, "\(name).conv1", ["outputs": width, "kernel": 3, "stride": stride, "padding": 1, "bias": false])
        add(.batchNorm, "\(name).bn1")
        add(.relu)
        add(.convolution, "\(name).conv2", ["outputs": width, "kernel": 3, "padding": 1, "bias": false])
        let residual = add(.batchNorm, "\(name).bn2")
        var shortcut = input
        if stride != 1 || inputs != outputs {
            add(
                .convolution, "\(name).downsample.0", inputs: [input],
                ["outputs": width, "kernel": 1, "stride": stride, "bias": false])
            shortcut = add(.batchNorm, "\(name).downsample.1")
        }
        add(.add, inputs: [residual, shortcut])
        add(.relu)
    }
}
