import Numerics

extension Network {
    /// A generator for teachers of vectors: noise [latent] to [outputs].
    ///
    /// Two hidden layers of `width` units, each with batch normalisation and LeakyReLU of slope 0.2, and a linear layer whose
    /// outputs a batch normalisation without weights standardises. Without tanh, because columns of tables have no bounds.
    static func daflVectorGenerator(_ architecture: Architecture) throws -> Network {
        let sizes = 1...Architecture.limit
        let values = try architecture.values([("latent", 100, sizes), ("outputs", 784, sizes), ("width", 128, sizes)])
        let (latent, outputs, width) = (values[0], values[1], values[2])

        var builder = try NetworkBuilder(inputShape: [latent])
        try builder.add(Linear(name: "l1", inputs: latent, outputs: width))
        try builder.add(BatchNorm(name: "bn1", channels: width))
        try builder.add(LeakyReLU(slope: 0.2))
        try builder.add(Linear(name: "l2", inputs: width, outputs: width))
        try builder.add(BatchNorm(name: "bn2", channels: width))
        try builder.add(LeakyReLU(slope: 0.2))
        try builder.add(Linear(name: "l3", inputs: width, outputs: outputs))
        try builder.add(BatchNorm(name: "bn3", channels: outputs, affine: false))
        try builder.restore(units: architecture.units)
        return builder.build(architecture: architecture.name, featureNode: nil)
    }
}
