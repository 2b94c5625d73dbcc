import Numerics

extension Network {
    /// The paper's generator: noise [latent] to images [channels, rows, columns], both `side` unless given.
    ///
    /// A linear layer makes `width` maps of rows/4 x columns/4; twice, upsampling by 2 and a 3 x 3 convolution refine them; a
    /// last convolution and tanh paint, and a batch normalisation without weights standardises the images. The 0.8 is the
    /// epsilon of the authors' batch normalisation, not its momentum. Sides that 4 does not divide are cut from the next size
    /// that it does.
    static func daflGenerator(_ architecture: Architecture) throws -> Network {
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

        var builder = try NetworkBuilder(inputShape: [latent])
        try builder.add(Linear(name: "l1", inputs: latent, outputs: width * firstRows * firstColumns))
        try builder.add(Reshape(to: Shape([width, firstRows, firstColumns])))
        try builder.add(BatchNorm(name: "bn0", channels: width))
        try builder.add(Upsampling())
        try builder.add(Convolution(name: "conv1", inputs: width, outputs: width, kernel: 3, padding: 1))
        try builder.add(BatchNorm(name: "bn1", channels: width, epsilon: 0.8))
        try builder.add(LeakyReLU(slope: 0.2))
        try builder.add(Upsampling())
        try builder.add(Convolution(name: "conv2", inputs: width, outputs: narrow, kernel: 3, padding: 1))
        try builder.add(BatchNorm(name: "bn2", channels: narrow, epsilon: 0.8))
        try builder.add(LeakyReLU(slope: 0.2))
        try builder.add(Convolution(name: "conv3", inputs: narrow, outputs: channels, kernel: 3, padding: 1))
        if rows % 4 != 0 || columns % 4 != 0 { try builder.add(Crop(height: rows, width: columns)) }
        try builder.add(Tanh())
        try builder.add(BatchNorm(name: "bn3", channels: channels, affine: false))
        try builder.restore(units: architecture.units)
        return builder.build(architecture: architecture.name, featureNode: nil)
    }
}
