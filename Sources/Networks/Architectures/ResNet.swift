/// What a stage of `Graph.resNet` repeats.
enum ResidualBlock {
    /// Two 3 x 3 convolutions.
    case basic
    /// 1 x 1, 3 x 3, and 1 x 1 to four times the channels.
    case bottleneck

    var expansion: Int { self == .basic ? 1 : 4 }
}

extension Graph {
    /// ResNet (He et al. 2016) of four stages with 64 to 512 channels, the mean over what is left of the image, and one
    /// linear layer. Names are torchvision's. The feature is the pooled vector.
    ///
    /// `stem=3`, as papers run it on CIFAR, begins with a 3 x 3 convolution; `stem=7`, torchvision's, with a 7 x 7 of
    /// stride 2 and a max pooling, for images of about 224 x 224.
    ///
    /// - Parameter blocks: in each stage; 2, 2, 2, 2 for ResNet-18, and 3, 4, 6, 3 for ResNet-34 and -50.
    static func resNet(_ architecture: Architecture, _ kind: ResidualBlock, blocks: [Int]) throws -> Graph {
        let (task, others) = try architecture.task([("stem", 3, 3...7)])
        let stem = others[0]
        guard stem == 3 || stem == 7 else { throw architecture.invalid("stem", stem, "3 or 7") }

        var graph = Graph(architecture.name, input: task.input)
        graph.addConvolution("conv1", norm: "bn1", outputs: 64, kernel: stem, stride: stem == 7 ? 2 : 1)
        if stem == 7 { graph.add(.maxPool, ["window": 3, "stride": 2, "padding": 1]) }
        var width = 64
        for (stage, count) in blocks.enumerated() {
            let inner = 64 << stage
            let outputs = inner * kind.expansion
            for block in 0..<count {
                graph.addBlock(
                    "layer\(stage + 1).\(block)", kind, inner: inner, stride: stage > 0 && block == 0 ? 2 : 1,
                    keepsChannels: width == outputs)
                width = outputs
            }
        }
        graph.addClassifier("fc", classes: task.classes)
        return graph
    }

    /// relu(convolutions(x) + shortcut(x)), each convolution with batch normalisation; the shortcut is x itself, or
    /// where the shape changes a 1 x 1 convolution with batch normalisation.
    private mutating func addBlock(_ name: String, _ kind: ResidualBlock, inner: Int, stride: Int, keepsChannels: Bool) {
        let input = last
        func convolution(_ place: Int, _ outputs: Int, kernel: Int, stride: Int = 1, _ activation: Activating? = .relu) {
            addConvolution(
                "\(name).conv\(place)", norm: "\(name).bn\(place)", outputs: outputs, kernel: kernel, stride: stride,
                activation)
        }
        switch kind {
        case .basic:
            convolution(1, inner, kernel: 3, stride: stride)
            convolution(2, inner, kernel: 3, nil)
        case .bottleneck:
            convolution(1, inner, kernel: 1)
            convolution(2, inner, kernel: 3, stride: stride)
            convolution(3, inner * kind.expansion, kernel: 1, nil)
        }
        let residual = last
        var shortcut = input
        if stride != 1 || !keepsChannels {
            shortcut = addConvolution(
                "\(name).downsample.0", norm: "\(name).downsample.1", inputs: [input], outputs: inner * kind.expansion,
                kernel: 1, stride: stride, nil)
        }
        add(.add, inputs: [residual, shortcut])
        add(.relu)
    }
}
