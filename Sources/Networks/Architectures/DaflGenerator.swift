import Numerics

extension Graph {
    /// The paper's generator: noise [latent] to images [channels, rows, columns], both `side` unless given.
    ///
    /// A linear layer makes `width` maps of rows/4 x columns/4; twice, upsampling by 2 and a 3 x 3 convolution refine them; a
    /// last convolution and tanh paint, and a batch normalisation without weights standardises the images. The 0.8 is the
    /// epsilon of the authors' batch normalisation, not its momentum. Sides that 4 does not divide are cut from the next size
    /// that it does.
    static func daflGenerator(_ architecture: Architecture) throws -> Graph {
        let side = architecture["side"] ?? 32
        let values = try architecture.values([
            ("latent", 100, 1...Architecture.limit), ("side", side, 1...Architecture.limit),
            ("channels", 1, 1...Architecture.limit),
            ("width", 128, 2...4096), ("rows", side, 1...Architecture.limit),
            ("columns", side, 1...Architecture.limit),
        ])
        let (latent, channels, width, rows, columns) = (values[0], values[2], values[3], values[4], values[5])
        let narrow = width / 2
        let (firstRows, firstColumns) = ((rows + 3) / 4, (columns + 3) / 4)

        var graph = Graph(architecture.name, input: [latent])
        graph.add(.linear, "l1", ["outputs": .integer(width * firstRows * firstColumns)])
        graph.add(.reshape, ["shape": .integers([width, firstRows, firstColumns])])
        graph.add(.batchNorm, "bn0")
        for (name, outputs) in [("1", width), ("2", narrow)] {
            graph.add(.upsample, ["factor": 2])
            graph.add(.convolution, "conv\(name)", ["outputs": .integer(outputs), "kernel": 3, "padding": 1])
            graph.add(.batchNorm, "bn\(name)", ["epsilon": 0.8])
            graph.add(.leakyReLU, ["slope": 0.2])
        }
        graph.add(.convolution, "conv3", ["outputs": .integer(channels), "kernel": 3, "padding": 1])
        if rows % 4 != 0 || columns % 4 != 0 {
            graph.add(.crop, ["height": .integer(rows), "width": .integer(columns)])
        }
        graph.add(.tanh)
        graph.add(.batchNorm, "bn3", ["affine": false])
        return graph
    }
}
