/// What a node can be. The raw values are the names in files.
package enum LayerKind: String, CaseIterable, Sendable {
    case convolution
    case linear
    case batchNorm = "batch_norm"
    case relu
    case leakyReLU = "leaky_relu"
    case tanh
    case maxPool = "max_pool"
    case averagePool = "average_pool"
    case globalAveragePool = "global_average_pool"
    case globalMaxPool = "global_max_pool"
    case add
    case crop
    case reshape
    case flatten
    case upsample
    case units

    /// - Throws: `invalidArgument` when the blueprint's attributes or inputs do not make such a layer, `outOfMemory`.
    func layer(_ blueprint: Blueprint) throws -> any Layer {
        switch self {
        case .convolution: try Convolution(blueprint)
        case .linear: try Linear(blueprint)
        case .batchNorm: try BatchNorm(blueprint)
        case .relu: LeakyReLU(slope: 0)
        case .leakyReLU: try LeakyReLU(blueprint)
        case .tanh: Tanh()
        case .maxPool: try Pooling(.max, blueprint)
        case .averagePool: try Pooling(.average, blueprint)
        case .globalAveragePool: try Pooling(global: .average, blueprint)
        case .globalMaxPool: try Pooling(global: .max, blueprint)
        case .add: Add()
        case .crop: try Crop(blueprint)
        case .reshape: try Reshape(blueprint)
        case .flatten: Reshape()
        case .upsample: try Upsampling(blueprint)
        case .units: try UnitScaling(blueprint)
        }
    }
}
