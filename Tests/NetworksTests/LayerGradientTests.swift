import Glibc
import LaneKernels
import Numerics
import Testing

@testable import Networks

@Suite struct LayerGradientTests {
    @Test(arguments: convolutions + dense + normalisations + elementwise + resampling)
    func forwardIsTheDefinitionAndBackwardItsSlope(_ subject: Subject) throws {
        try checkGradients(subject)
    }

    static let convolutions: [Subject] = rectangles + transposed + [
        convolution([2, 5, 6], outputs: 3, kernel: 3),
        convolution([3, 4, 4], outputs: 2, kernel: 3, padding: 1),
        convolution([1, 7, 6], outputs: 4, kernel: 3, stride: 2),
        convolution([2, 6, 5], outputs: 9, kernel: 2, stride: 2, padding: 1, samples: 5),
        convolution([2, 6, 6], outputs: 1, kernel: 5, padding: 2, bias: false, samples: 3),
        convolution([5, 3, 3], outputs: 7, kernel: 1, samples: 33),
        convolution([2, 3, 4], outputs: 3, kernel: 2, stride: 3, padding: 2),
        // The whole input at once: a matrix product.
        convolution([4, 3, 3], outputs: 5, kernel: 3),
        convolution([2, 2, 2], outputs: 3, kernel: 2, bias: false, samples: 1),
        convolution([6], outputs: 3, kernel: 1),
        // Not the whole input: it is padded, or larger in one direction.
        convolution([2, 3, 3], outputs: 2, kernel: 3, padding: 1),
        convolution([2, 3, 4], outputs: 2, kernel: 3),
    ]

    /// Kernels, strides, borders and groups that differ by direction.
    static let rectangles: [Subject] = [
        ([2, 6, 7], ["outputs": 4, "kernel": [3, 2], "stride": [1, 2], "padding": [0, 1, 1, 0]]),
        ([4, 5, 6], ["outputs": 6, "kernel": [2, 3], "groups": 2, "dilation": [1, 2], "padding": [1, 2]]),
        ([5, 9, 8], ["outputs": 5, "kernel": 3, "groups": 5, "stride": 2, "padding": [0, 0, 1, 1]]),
        ([3, 1, 9], ["outputs": 2, "kernel": [1, 4], "bias": false]),
    ].map { input, attributes in
        Subject(
            testDescription: "convolution \(input), \(attributes)", input: input,
            nodes: { $0.add(.convolution, "conv", attributes) },
            reference: { x, weights in
                guard let convolution = try? layer(.convolution, attributes, of: [input]) as? Convolution,
                    let (from, to) = try? (Shape(input), convolution.outputShape([Shape(input)]))
                else { return [] }
                let shape = convolution.geometry.sizes(from: from, to: to)
                return [Reference.convolution(x, weights["conv.weight"]!, weights["conv.bias"], shape)]
            })
    }

    /// Beside the scatter that defines it: each number times the kernel is added where its taps lie.
    static let transposed: [Subject] = [
        ([3, 4, 3], ["outputs": 2, "kernel": 3]),
        ([2, 3, 4], ["outputs": 3, "kernel": [2, 3], "stride": [2, 1], "padding": [0, 1, 1, 0], "output_padding": [1, 0]]),
        ([4, 3, 3], ["outputs": 6, "kernel": 2, "stride": 2, "groups": 2, "dilation": 2, "bias": false]),
    ].map { input, attributes in
        Subject(
            testDescription: "transposed convolution \(input), \(attributes)", input: input,
            nodes: { $0.add(.transposedConvolution, "conv", attributes) },
            reference: { x, weights in
                guard let layer = try? layer(.transposedConvolution, attributes, of: [input]) as? TransposedConvolution,
                    let (from, to) = try? (Shape(input), layer.outputShape([Shape(input)]))
                else { return [] }
                let shape = layer.geometry.sizes(from: to, to: from)
                let image = Rows(samples: x.samples, to.dimensions)
                var y = Reference.convolutionGradients(image, weights["conv.weight"]!, x, shape).dx
                let pixels = y.elements / to[0]
                if let bias = weights["conv.bias"] {
                    for i in y.values.indices { y.values[i] += bias[i / pixels % to[0]] }
                }
                return [y]
            })
    }

    private static func convolution(
        _ input: [Int], outputs: Int, kernel: Int, stride: Int = 1, padding: Int = 0, bias: Bool = true,
        samples: Int = 18
    ) -> Subject {
        Subject(
            testDescription:
                "convolution \(input) to \(outputs), kernel \(kernel), stride \(stride), padding \(padding)",
            input: input,
            samples: samples,
            nodes: {
                $0.add(
                    .convolution, "conv",
                    [
                        "outputs": .integer(outputs), "kernel": .integer(kernel), "stride": .integer(stride),
                        "padding": .integer(padding), "bias": .flag(bias),
                    ])
            },
            reference: { x, weights in
                let shape = lane_convolution(
                    inputs: x.channels, height: x.height, width: x.width, outputs: outputs, kernelHeight: kernel,
                    kernelWidth: kernel, stride: stride, padding: padding)
                return [Reference.convolution(x, weights["conv.weight"]!, weights["conv.bias"], shape)]
            })
    }

    static let positions = Subject(
        testDescription: "linear along the last axis", input: [2, 3, 4], samples: 19,
        nodes: { $0.add(.linear, "fc", ["outputs": 5, "axis": "last"]) },
        reference: { x, weights in
            let rows = Rows(samples: x.samples * 6, [4], x.values)
            let y = Reference.linear(rows, weights["fc.weight"]!, weights["fc.bias"]!)
            return [Rows(samples: x.samples, [2, 3, 5], y.values)]
        })

    static let dense: [Subject] = [positions] + [([7], 5, 18), ([1], 1, 1), ([3, 2, 2], 10, 33)].map { input, outputs, samples in
        Subject(
            testDescription: "linear \(input) to \(outputs)", input: input, samples: samples,
            nodes: { $0.add(.linear, "fc", ["outputs": .integer(outputs)]) },
            reference: { x, weights in [Reference.linear(x, weights["fc.weight"]!, weights["fc.bias"]!)] })
    }

    static let normalisations: [Subject] = [Float(0.8), 1e-5].flatMap { epsilon in
        [true, false].flatMap { affine in
            [true, false].flatMap { training in
                [([3, 2, 3], 19), ([4], 6)].map { input, samples in
                    normalisation(input, samples: samples, epsilon: epsilon, affine: affine, training: training)
                }
            }
        }
    }

    private static func normalisation(
        _ input: [Int], samples: Int, epsilon: Float, affine: Bool, training: Bool
    ) -> Subject {
        Subject(
            testDescription: "batch norm \(input), epsilon \(epsilon), affine \(affine), training \(training)",
            input: input, samples: samples, training: training, mixesSamples: training,
            nodes: { $0.add(.batchNorm, "bn", ["epsilon": .number(Double(epsilon)), "affine": .flag(affine)]) },
            reference: { x, weights in
                let (mean, variance) =
                    training
                    ? Reference.statistics(x) : (weights["bn.running_mean"]!, weights["bn.running_var"]!)
                return [
                    Reference.normalised(
                        x, mean: mean, variance: variance, epsilon: Double(epsilon), weight: weights["bn.weight"],
                        bias: weights["bn.bias"])
                ]
            })
    }

    static let elementwise: [Subject] = [
        sole("ReLU", [5, 2, 1], .relu) { Reference.leakyReLU($0, slope: 0) },
        sole("leaky ReLU", [5, 2, 1], .leakyReLU, ["slope": 0.2]) { Reference.leakyReLU($0, slope: Double(Float(0.2))) },
        sole("leaky ReLU of the usual slope", [9], .leakyReLU) {
            Reference.leakyReLU($0, slope: Double(Float(0.01)))
        },
        sole("tanh", [7], .tanh) { $0.map { tanh($0) } },
        // Enough numbers to be shared among threads.
        sole("tanh of many", [1031], .tanh) { $0.map { tanh($0) } },
        sole("ReLU of many", [1031], .relu) { Reference.leakyReLU($0, slope: 0) },
    ]

    static let resampling: [Subject] = [
        sole("max pooling", [2, 4, 6], .maxPool, ["window": 2]) { Reference.maxPooling($0, window: 2, stride: 2) },
        sole("overlapping max pooling", [2, 5, 7], .maxPool, ["window": 3, "stride": 2]) {
            Reference.maxPooling($0, window: 3, stride: 2)
        },
        sole("max pooling with gaps", [3, 7, 5], .maxPool, ["window": 2, "stride": 3]) {
            Reference.maxPooling($0, window: 2, stride: 3)
        },
        pooling(.max, [2, 5, 7], ["window": [3, 2], "stride": [2, 1], "padding": [1, 0, 0, 1], "ceil": true]),
        pooling(.max, [3, 6, 6], ["window": 3, "stride": 2, "ceil": true]),
        pooling(.average, [2, 5, 7], ["window": [3, 2], "stride": 2, "padding": [1, 1, 0, 0], "ceil": true]),
        pooling(.average, [2, 5, 7], ["window": 3, "padding": 1, "counts_padding": false]),
        sole("global average pooling", [3, 4, 4], .globalAveragePool) { Reference.averagePooling($0, window: 4, stride: 4) },
        sole("average pooling", [3, 5, 4], .averagePool, ["window": 2]) {
            Reference.averagePooling($0, window: 2, stride: 2)
        },
        sole("overlapping average pooling", [2, 5, 7], .averagePool, ["window": 3, "stride": 1]) {
            Reference.averagePooling($0, window: 3, stride: 1)
        },
        sole("upsampling", [3, 2, 3], .upsample) { Reference.upsampling($0, factor: 2) },
        sole("threefold upsampling", [1, 2, 1], .upsample, ["factor": 3]) { Reference.upsampling($0, factor: 3) },
        sole("crop", [3, 4, 8], .crop, ["height": 3, "width": 5]) { Reference.crop($0, 3, 5) },
        sole("crop of rows", [2, 5, 3], .crop, ["height": 2, "width": 3]) { Reference.crop($0, 2, 3) },
        sole("crop to a pixel", [2, 4, 4], .crop, ["height": 1, "width": 1]) { Reference.crop($0, 1, 1) },
        sole("crop of nothing", [1, 2, 3], .crop, ["height": 2, "width": 3]) { $0 },
        sole("reshape", [12], .reshape, ["shape": [3, 2, 2]]) { $0.reshaped([3, 2, 2]) },
        sole("flatten", [3, 2, 2], .flatten) { $0.reshaped([12]) },
    ]

    private static func pooling(_ kind: Pooling.Kind, _ input: [Int], _ attributes: [String: Attribute]) -> Subject {
        let node: LayerKind = kind == .max ? .maxPool : .averagePool
        return sole("\(kind) pooling \(attributes)", input, node, attributes) { x in
            guard let pooling = try? layer(node, attributes, of: [input]) as? Pooling,
                let (from, to) = try? (Shape(input), pooling.outputShape([Shape(input)]))
            else { return x }
            let shape = pooling.shape(input: from, output: to)
            return kind == .max ? Reference.maxPooling(x, shape) : Reference.averagePooling(x, shape)
        }
    }

    private static func sole(
        _ name: String, _ input: [Int], _ kind: LayerKind, _ attributes: [String: Attribute] = [:],
        reference: @escaping @Sendable (Rows) -> Rows
    ) -> Subject {
        Subject(
            testDescription: "\(name) of \(input)", input: input,
            nodes: { $0.add(kind, attributes) },
            reference: { x, _ in [reference(x)] })
    }
}
