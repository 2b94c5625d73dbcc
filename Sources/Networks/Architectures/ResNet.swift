import Numerics

extension Network {
    /// ResNet for small images (He et al. 2016), as the papers run it on CIFAR: [channels, side, side], a 3 x 3 stem without
    /// pooling, four stages of basic blocks with 64 to 512 channels, the mean over what is left of the image, and one linear
    /// layer. Names are torchvision's. The feature is the pooled 512-vector.
    ///
    /// - Parameter blocks: in each stage; 2, 2, 2, 2 for ResNet-18 and 3, 4, 6, 3 for ResNet-34.
    static func resNet(_ architecture: Architecture, blocks: [Int]) throws -> Network {
        let values = try architecture.values([
            ("side", 32, 8...4096), ("channels", 3, 1...4096), ("classes", 10, 2...Architecture.limit),
        ])
        let (side, channels, classes) = (values[0], values[1], values[2])
        guard side % 8 == 0 else {
            throw DaflError.invalid("side of architecture \"\(architecture.text)\"", side, "divisible by 8")
        }

        var builder = try NetworkBuilder(inputShape: [channels, side, side], units: architecture.units)
        try builder.add(Convolution(name: "conv1", inputs: channels, outputs: 64, kernel: 3, padding: 1, bias: false))
        try builder.add(BatchNorm(name: "bn1", channels: 64))
        var node = try builder.add(LeakyReLU.relu())
        var width = 64
        for (stage, count) in blocks.enumerated() {
            let outputs = 64 << stage
            for block in 0..<count {
                node = try basicBlock(
                    &builder, name: "layer\(stage + 1).\(block)", from: node, inputs: width, outputs: outputs,
                    stride: stage > 0 && block == 0 ? 2 : 1)
                width = outputs
            }
        }
        try builder.add(Pooling(.average, window: side / 8))
        let feature = try builder.add(Reshape())
        try builder.add(Linear(name: "fc", inputs: width, outputs: classes))
        return builder.build(architecture: architecture.name, featureNode: feature)
    }

    /// relu(bn2(conv2(relu(bn1(conv1(x))))) + shortcut(x)); the shortcut is x itself, or where the shape changes a 1 x 1
    /// convolution with batch normalisation. Returns the block's last node.
    private static func basicBlock(
        _ builder: inout NetworkBuilder, name: String, from input: Int, inputs: Int, outputs: Int, stride: Int
    ) throws -> Int {
        let first = try Convolution(
            name: "\(name).conv1", inputs: inputs, outputs: outputs, kernel: 3, stride: stride, padding: 1, bias: false)
        try builder.add(first, inputs: [input])
        try builder.add(BatchNorm(name: "\(name).bn1", channels: outputs))
        try builder.add(LeakyReLU.relu())
        try builder.add(
            Convolution(name: "\(name).conv2", inputs: outputs, outputs: outputs, kernel: 3, padding: 1, bias: false))
        let residual = try builder.add(BatchNorm(name: "\(name).bn2", channels: outputs))
        var shortcut = input
        if stride != 1 || inputs != outputs {
            let projection = try Convolution(
                name: "\(name).downsample.0", inputs: inputs, outputs: outputs, kernel: 1, stride: stride, bias: false)
            try builder.add(projection, inputs: [input])
            shortcut = try builder.add(BatchNorm(name: "\(name).downsample.1", channels: outputs))
        }
        try builder.add(Add(), inputs: [residual, shortcut])
        return try builder.add(LeakyReLU.relu())
    }
}
