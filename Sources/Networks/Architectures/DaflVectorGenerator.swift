import Numerics

extension Graph {
    /// A generator for teachers of vectors: noise [latent] to [outputs].
    ///
    /// Two hidden layers of `width` units, each with batch normalisation and LeakyReLU of slope 0.2, and a linear layer whose
    /// outputs a batch normalisation without weights standardises. Without tanh, because columns of tables have no bounds.
    static func daflVectorGenerator(_ architecture: Architecture) throws -> Graph {
        let sizes = 1...Architecture.limit
        let values = try architecture.values([("latent", 100, sizes), ("outputs", 784, sizes), ("width", 128, sizes)])
        let (latent, outputs, width) = (values[0], values[1], values[2])

        var graph = Graph(architecture.name, input: [latent])
        for name in ["1", "2"] {
            graph.add(.linear, "l\(name)", ["outputs": .integer(width)])
            graph.add(.batchNorm, "bn\(name)")
            graph.add(.leakyReLU, ["slope": 0.2])
        }
        graph.add(.linear, "l3", ["outputs": .integer(outputs)])
        graph.add(.batchNorm, "bn3", ["affine": false])
        return graph
    }
}
