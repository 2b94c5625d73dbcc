import Glibc
import LaneKernels
import Networks
import Numerics
import Testing

@Suite struct LayerGradientTests {
    @Test(arguments: convolutions + dense + normalisations + elementwise + resampling)
    func forwardIsTheDefinitionAndBackwardItsSlope(_ subject: Subject) throws {
        try checkGradients(subject)
    }

    static let convolutions: [Subject] = [
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

    static let dense: [Subject] = [([7], 5, 18), ([1], 1, 1), ([3, 2, 2], 10, 33)].map { input, outputs, samples in
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
