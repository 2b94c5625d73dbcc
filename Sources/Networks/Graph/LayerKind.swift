import LaneKernels

/// What a node can be. The raw values are the names in files.
package enum LayerKind: String, CaseIterable, Sendable {
    case convolution
    case transposedConvolution = "transposed_convolution"
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
    case prelu
    case elu
    case selu
    case gelu
    case silu
    case hardSwish = "hard_swish"
    case sigmoid
    case hardSigmoid = "hard_sigmoid"
    case softplus
    case softsign
    case mish
    case clip
    case abs
    case sqrt
    case exp
    case log
    case negate
    case reciprocal
    case erf
    case power
    case fakeQuantize = "fake_quantize"
    case subtract
    case multiply
    case divide
    case maximum
    case minimum
    case concat
    case slice
    case pad
    case transpose
    case reduceMean = "reduce_mean"
    case reduceSum = "reduce_sum"
    case reduceMax = "reduce_max"
    case layerNorm = "layer_norm"
    case groupNorm = "group_norm"
    case instanceNorm = "instance_norm"
    case lrn
    case dropout
    case softmax
    case constant
    case units

    /// - Throws: `invalidArgument` when the blueprint's attributes or inputs do not make such a layer, `outOfMemory`.
    func layer(_ blueprint: Blueprint) throws -> any Layer {
        switch self {
        case .convolution: try Convolution(blueprint)
        case .transposedConvolution: try TransposedConvolution(blueprint)
        case .linear: try Linear(blueprint)
        case .batchNorm: try BatchNorm(blueprint)
        case .relu: LeakyReLU(slope: 0)
        case .leakyReLU: try LeakyReLU(blueprint)
        case .tanh: Tanh()
        case .maxPool: try Pooling(.max, blueprint)
        case .averagePool: try Pooling(.average, blueprint)
        case .globalAveragePool: try Pooling(global: .average, blueprint)
        case .globalMaxPool: try Pooling(global: .max, blueprint)
        case .add: try Add(blueprint)
        case .crop: try Crop(blueprint)
        case .reshape: try Reshape(blueprint)
        case .flatten: Reshape()
        case .upsample: try Resampling.layer(blueprint)
        case .prelu: try PReLU(blueprint)
        case .elu: try Activation.elu(blueprint)
        case .selu: Activation.selu()
        case .gelu: try Activation.gelu(blueprint)
        case .silu: Activation(LANE_SILU)
        case .hardSwish: Activation(LANE_HARD_SWISH)
        case .sigmoid: Activation(LANE_SIGMOID)
        case .hardSigmoid: try Activation.hardSigmoid(blueprint)
        case .softplus: Activation(LANE_SOFTPLUS)
        case .softsign: Activation(LANE_SOFTSIGN)
        case .mish: Activation(LANE_MISH)
        case .clip: try Activation.clip(blueprint)
        case .abs: Activation(LANE_ABS)
        case .sqrt: Activation(LANE_SQRT)
        case .exp: Activation(LANE_EXP)
        case .log: Activation(LANE_LOG)
        case .negate: Activation(LANE_NEGATE)
        case .reciprocal: Activation(LANE_RECIPROCAL)
        case .erf: Activation(LANE_ERF)
        case .power: try Activation.power(blueprint)
        case .fakeQuantize: try FakeQuantization(blueprint)
        case .subtract: try Combination(LANE_SUBTRACT, blueprint)
        case .multiply: try Combination(LANE_MULTIPLY, blueprint)
        case .divide: try Combination(LANE_DIVIDE, blueprint)
        case .maximum: try Combination(LANE_MAXIMUM, blueprint)
        case .minimum: try Combination(LANE_MINIMUM, blueprint)
        case .concat: try Rearrangement.concatenation(blueprint)
        case .slice: try Rearrangement.slice(blueprint)
        case .pad: try Rearrangement.padding(blueprint)
        case .transpose: try Rearrangement.transposition(blueprint)
        case .reduceMean: try Reduction(.mean, blueprint)
        case .reduceSum: try Reduction(.sum, blueprint)
        case .reduceMax: try Reduction(.max, blueprint)
        case .layerNorm: try SegmentNorm.layer(blueprint)
        case .groupNorm: try SegmentNorm.group(blueprint)
        case .instanceNorm: try SegmentNorm.instance(blueprint)
        case .lrn: try LocalResponseNorm(blueprint)
        case .dropout: try Dropout(blueprint)
        case .softmax: try SoftmaxLayer(blueprint)
        case .constant: try Constant(blueprint)
        case .units: try UnitScaling(blueprint)
        }
    }
}
