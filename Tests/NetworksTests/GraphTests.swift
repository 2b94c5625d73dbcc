import Glibc
import LaneKernels
import Networks
import Numerics
import Testing

/// Networks that branch and join.
@Suite struct GraphTests {
    @Test(arguments: [residual, doubled, featured, generator])
    func gradientsOfBranchesAddUp(_ subject: Subject) throws {
        try checkGradients(subject, threads: [1, 2, 3])
    }

    /// Three branches leave one node, two leave the input; the node is the feature too.
    static let residual = Subject(
        testDescription: "residual blocks", input: [2, 3, 3],
        layers: { builder in
            try builder.add(Convolution(name: "stem", inputs: 2, outputs: 3, kernel: 3, padding: 1))
            let stem = try builder.add(LeakyReLU(slope: 0.2))
            let wide = try builder.add(
                Convolution(name: "wide", inputs: 3, outputs: 3, kernel: 3, padding: 1), inputs: [stem])
            let narrow = try builder.add(Convolution(name: "narrow", inputs: 3, outputs: 3, kernel: 1), inputs: [stem])
            let sum = try builder.add(Add(), inputs: [wide, narrow])
            let block = try builder.add(Add(), inputs: [sum, stem])
            let shortcut = try builder.add(
                Convolution(name: "shortcut", inputs: 2, outputs: 3, kernel: 1), inputs: [Network.input])
            try builder.add(Add(), inputs: [block, shortcut])
            try builder.add(Tanh())
            try builder.add(Linear(name: "fc", inputs: 27, outputs: 4))
            return stem
        },
        reference: { x, weights in
            func convolution(_ name: String, _ x: Rows, kernel: Int) -> Rows {
                let shape = lane_convolution(
                    inputs: x.channels, height: x.height, width: x.width, outputs: 3, kernelHeight: kernel,
                    kernelWidth: kernel, padding: kernel / 2)
                return Reference.convolution(x, weights["\(name).weight"]!, weights["\(name).bias"]!, shape)
            }
            let stem = Reference.leakyReLU(convolution("stem", x, kernel: 3), slope: Double(Float(0.2)))
            let branches = convolution("wide", stem, kernel: 3) + convolution("narrow", stem, kernel: 1)
            let sum = branches + stem + convolution("shortcut", x, kernel: 1)
            return [Reference.linear(sum.map { tanh($0) }, weights["fc.weight"]!, weights["fc.bias"]!), stem]
        })

    /// Both inputs of a sum are the same node, and the network's input.
    static let doubled = Subject(
        testDescription: "x + x", input: [5],
        layers: { builder in
            try builder.add(Add(), inputs: [Network.input, Network.input])
            return nil
        },
        reference: { x, _ in [x + x] })

    /// The last node is the feature as well as the output.
    static let featured = Subject(
        testDescription: "features at the end", input: [5],
        layers: { builder in try builder.add(Linear(name: "fc", inputs: 5, outputs: 3)) },
        reference: { x, weights in
            let y = Reference.linear(x, weights["fc.weight"]!, weights["fc.bias"]!)
            return [y, y]
        })

    /// The kinds of layer of the paper's generator in a row, in training.
    static let generator = Subject(
        testDescription: "small generator", input: [3], samples: 17, training: true, mixesSamples: true,
        tolerance: 2e-4,
        layers: { builder in
            try builder.add(Linear(name: "l1", inputs: 3, outputs: 8))
            try builder.add(Reshape(to: try Shape([2, 2, 2])))
            try builder.add(BatchNorm(name: "bn0", channels: 2))
            try builder.add(Upsampling())
            try builder.add(Convolution(name: "conv1", inputs: 2, outputs: 2, kernel: 3, padding: 1))
            try builder.add(BatchNorm(name: "bn1", channels: 2, epsilon: 0.8))
            try builder.add(LeakyReLU(slope: 0.2))
            try builder.add(Tanh())
            try builder.add(BatchNorm(name: "bn2", channels: 2, affine: false))
            return nil
        },
        reference: { x, weights in
            func normalised(_ name: String, _ x: Rows, _ epsilon: Double) -> Rows {
                let (mean, variance) = Reference.statistics(x)
                return Reference.normalised(
                    x, mean: mean, variance: variance, epsilon: epsilon, weight: weights["\(name).weight"],
                    bias: weights["\(name).bias"])
            }
            let maps = Reference.linear(x, weights["l1.weight"]!, weights["l1.bias"]!).reshaped([2, 2, 2])
            let large = Reference.upsampling(normalised("bn0", maps, 1e-5), factor: 2)
            let shape = lane_convolution(
                inputs: 2, height: 4, width: 4, outputs: 2, kernelHeight: 3, kernelWidth: 3, padding: 1)
            let refined = Reference.convolution(large, weights["conv1.weight"]!, weights["conv1.bias"]!, shape)
            let bent = Reference.leakyReLU(normalised("bn1", refined, 0.8), slope: Double(Float(0.2)))
            return [normalised("bn2", bent.map { tanh($0) }, 1e-5)]
        })

    @Test func additionWantsTwoInputsOfOneShape() throws {
        var builder = try NetworkBuilder(inputShape: [4])
        let linear = try builder.add(Linear(name: "fc", inputs: 4, outputs: 3))
        for inputs in [[linear], [linear, Network.input], [linear, linear, linear]] {
            let error = #expect(throws: DaflError.self) { try builder.add(Add(), inputs: inputs) }
            #expect(error?.status == .invalidArgument)
        }
    }
}
