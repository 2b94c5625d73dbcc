import Glibc
import LaneKernels
import Networks
import Numerics
import Testing

/// Networks that branch and join.
@Suite struct GraphTests {
    @Test(arguments: [residual, doubled, featured, generator, shared])
    func gradientsOfBranchesAddUp(_ subject: Subject) throws {
        try checkGradients(subject, threads: [1, 2, 3])
    }

    /// Three branches leave one node, two leave the input; the node is the feature too.
    static let residual = Subject(
        testDescription: "residual blocks", input: [2, 3, 3],
        nodes: { graph in
            graph.add(.convolution, "stem", ["outputs": 3, "kernel": 3, "padding": 1])
            let stem = graph.add(.leakyReLU, ["slope": 0.2])
            graph.add(.convolution, "wide", inputs: [stem], ["outputs": 3, "kernel": 3, "padding": 1])
            graph.add(.convolution, "narrow", inputs: [stem], ["outputs": 3, "kernel": 1])
            graph.add(.add, "sum", inputs: ["wide", "narrow"])
            graph.add(.add, "block", inputs: ["sum", stem])
            graph.add(.convolution, "shortcut", inputs: [Graph.input], ["outputs": 3, "kernel": 1])
            graph.add(.add, inputs: ["block", "shortcut"])
            graph.add(.tanh)
            graph.add(.linear, "fc", ["outputs": 4])
            graph.feature = stem
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
        nodes: { $0.add(.add, inputs: [Graph.input, Graph.input]) },
        reference: { x, _ in [x + x] })

    /// Two layers have the same weights, and so has a third in a branch.
    static let shared = Subject(
        testDescription: "shared weights", input: [4],
        nodes: { graph in
            graph.add(.linear, "a", ["outputs": 4])
            graph.add(.tanh)
            graph.add(.linear, "b", ["outputs": 4, "weights_of": "a"])
            graph.add(.linear, "c", inputs: [Graph.input], ["outputs": 4, "weights_of": "b"])
            graph.add(.add, inputs: ["b", "c"])
            graph.add(.linear, "fc", ["outputs": 2])
        },
        reference: { x, weights in
            func a(_ x: Rows) -> Rows { Reference.linear(x, weights["a.weight"]!, weights["a.bias"]!) }
            return [Reference.linear(a(a(x).map { tanh($0) }) + a(x), weights["fc.weight"]!, weights["fc.bias"]!)]
        })

    /// The last node is the feature as well as the output.
    static let featured = Subject(
        testDescription: "features at the end", input: [5],
        nodes: { $0.feature = $0.add(.linear, "fc", ["outputs": 3]) },
        reference: { x, weights in
            let y = Reference.linear(x, weights["fc.weight"]!, weights["fc.bias"]!)
            return [y, y]
        })

    /// The kinds of layer of the paper's generator in a row, in training.
    static let generator = Subject(
        testDescription: "small generator", input: [3], samples: 17, training: true, mixesSamples: true,
        tolerance: 2e-4,
        nodes: { graph in
            graph.add(.linear, "l1", ["outputs": 8])
            graph.add(.reshape, ["shape": [2, 2, 2]])
            graph.add(.batchNorm, "bn0")
            graph.add(.upsample)
            graph.add(.convolution, "conv1", ["outputs": 2, "kernel": 3, "padding": 1])
            graph.add(.batchNorm, "bn1", ["epsilon": 0.8])
            graph.add(.leakyReLU, ["slope": 0.2])
            graph.add(.tanh)
            graph.add(.batchNorm, "bn2", ["affine": false])
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

    @Test func additionWantsTwoInputsThatFit() throws {
        for inputs in [["fc"], ["fc", Graph.input], ["fc", "fc", Graph.input]] {
            let error = #expect(throws: DaflError.self) {
                try Network([4]) {
                    $0.add(.linear, "fc", ["outputs": 3])
                    $0.add(.add, inputs: inputs)
                }
            }
            #expect(error?.status == .invalidArgument)
        }
    }

    @Test func nodesAreBounded() throws {
        func chain(_ nodes: Int) throws -> Network {
            try Network([2]) { graph in
                for _ in 0..<nodes { graph.add(.tanh) }
            }
        }
        #expect(try chain(8192).nodes.count == 8192)
        let error = #expect(throws: DaflError.self) { try chain(8193) }
        #expect(error?.status == .invalidArgument)
        #expect(error?.description.contains("8193; it must be at most 8192") == true)
    }
}
