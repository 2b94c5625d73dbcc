import LaneKernels
import Networks
import Numerics
import Testing

/// A linear layer is its formula, whether its weights fit the caches or not.
@Suite struct LinearTests {
    struct Size: Sendable {
        let samples, inputs, outputs: Int
    }

    static let small = [
        Size(samples: 1, inputs: 1, outputs: 1), Size(samples: 16, inputs: 16, outputs: 6),
        Size(samples: 19, inputs: 37, outputs: 13), Size(samples: 33, inputs: 120, outputs: 84),
        Size(samples: 5, inputs: 50, outputs: 9), Size(samples: 40, inputs: 15, outputs: 23),
    ]

    @Test(arguments: small, 0..<Int(lane_kernels_available()))
    func smallLayers(size: Size, level: Int) throws {
        try forwardAndGradients(size: size, level: level)
    }

    // One less and one more than a vector, a tile, a panel of rows (128), of outputs (240) and of terms (512), and more
    // than a group of blocks.
    static let panels = [
        Size(samples: 17, inputs: 15, outputs: 7), Size(samples: 15, inputs: 17, outputs: 5),
        Size(samples: 48, inputs: 511, outputs: 129), Size(samples: 49, inputs: 512, outputs: 128),
        Size(samples: 33, inputs: 513, outputs: 241), Size(samples: 64, inputs: 239, outputs: 513),
        Size(samples: 50, inputs: 240, outputs: 512), Size(samples: 40, inputs: 241, outputs: 511),
        Size(samples: 513, inputs: 127, outputs: 239), Size(samples: 512, inputs: 129, outputs: 240),
        Size(samples: 530, inputs: 600, outputs: 110),
    ]

    @Test(arguments: panels, 0..<Int(lane_kernels_available()))
    func layersAtTheEdgesOfPanels(size: Size, level: Int) throws {
        try forwardAndGradients(size: size, level: level)
    }

    @Test func largeLayers() throws {
        try forwardAndGradients(size: Size(samples: 3, inputs: 2100, outputs: 2000), level: 0)
    }

    private func forwardAndGradients(size: Size, level: Int) throws {
        let (n, inputs, outputs) = (size.samples, size.inputs, size.outputs)
        var random = Philox(seed: 3, stream: .check)
        let network = try Network(architecture: "mlp-\(inputs)-\(outputs)", seed: 6)
        let input = try Batch(samples: n, shape: network.inputShape)
        random.fillNormal(input)
        let compute = try Compute(threads: 2, level: level)
        let pass = try Pass(network, input: input, gradients: [.weights, .input], compute)
        pass.forward()
        let dy = try #require(pass.outputGradient)
        random.fillNormal(dy)
        pass.backward()

        let (weight, bias) = (network.parameters[0], network.parameters[1])
        let (dw, db, dx) = (
            try #require(weight.gradient), try #require(bias.gradient), try #require(pass.inputGradient)
        )
        func expect(_ value: Float, _ formula: Double, _ terms: Int) {
            #expect(abs(Double(value) - formula) < 1e-5 * Double(terms).squareRoot() * (1 + abs(formula)))
        }
        for _ in 0..<30 {
            let (s, i, o) = (random.next(below: n), random.next(below: inputs), random.next(below: outputs))
            let y = (0..<inputs).reduce(Double(bias.value[o])) {
                $0 + Double(weight.value[o * inputs + $1]) * Double(input[s, $1])
            }
            expect(pass.output[s, o], y, inputs)
            expect(dw[o * inputs + i], (0..<n).reduce(0) { $0 + Double(dy[$1, o]) * Double(input[$1, i]) }, n)
            expect(db[o], (0..<n).reduce(0) { $0 + Double(dy[$1, o]) }, n)
            let back = (0..<outputs).reduce(0) { $0 + Double(dy[s, $1]) * Double(weight.value[$1 * inputs + i]) }
            expect(dx[s, i], back, outputs)
        }
    }
}
