import LaneKernels
import Networks
import Numerics
import Testing

/// One image alone gives what it gives among others.
@Suite struct SingleImagePassTests {
    static let architectures = [
        "lenet5", "lenet5-half", "lenet5(channels=3,classes=26)", "mlp-784-30-17-10", "mlp-5-3", "mlp-1-2",
    ]

    @Test(arguments: architectures, 0..<Int(lane_kernels_available()))
    func anImageAloneIsAnImageAmongOthers(architecture: String, level: Int) throws {
        let network = try Network(architecture: architecture, seed: 4)
        let compute = try Compute(threads: 1, level: level)
        let images = try Batch(samples: 3, shape: network.inputShape)
        var random = Philox(seed: 9, stream: .noise)
        random.fillNormal(images)
        let pass = try Pass(network, input: images, compute)
        pass.forward()

        let rows = try Tensor([3, network.inputShape.count])
        images.store(rows: rows.pointer, compute)
        let single = try #require(try SingleImagePass(network, compute))
        let classes = network.outputShape.count
        let outputs = try Tensor([classes + 1])
        outputs[classes] = 42
        for i in 0..<3 {
            single.predict(rows.pointer + i * network.inputShape.count, outputs: outputs.pointer)
            for k in 0..<classes { #expect(abs(outputs[k] - pass.output[i, k]) < 2e-5) }
        }
        #expect(outputs[classes] == 42)
    }

    /// Widths around whole vectors, other strides and kernels than LeNet's.
    @Test(arguments: [(7, 3, 2, 2), (12, 5, 3, 1), (36, 5, 2, 3), (37, 3, 3, 2), (45, 7, 2, 2)])
    func anyWidth(side: Int, kernel: Int, window: Int, stride: Int) throws {
        let network = try Network([2, side, side], feature: "pooled") {
            $0.add(.convolution, "a", ["outputs": 5, "kernel": .integer(kernel)])
            $0.add(.leakyReLU, ["slope": 0.2])
            $0.add(.maxPool, "pooled", ["window": .integer(window), "stride": .integer(stride)])
        }
        var random = Philox(seed: 2, stream: .weights)
        network.initialise(&random)

        let compute = try Compute(threads: 1)
        let image = try Batch(samples: 1, shape: network.inputShape)
        random.fillNormal(image)
        let pass = try Pass(network, input: image, compute)
        pass.forward()
        let (row, outputs) = (try Tensor(network.inputShape), try Tensor([network.outputShape.count]))
        image.store(rows: row.pointer, compute)
        try #require(try SingleImagePass(network, compute)).predict(row.pointer, outputs: outputs.pointer)
        for k in 0..<outputs.count { #expect(abs(outputs[k] - pass.output[0, k]) < 2e-5) }
    }

    @Test func whatBranchesOrPadsIsLeftToPass() throws {
        let compute = try Compute(threads: 1)
        #expect(try SingleImagePass(Network(architecture: "resnet18", seed: 0), compute) == nil)
        #expect(try SingleImagePass(Network(architecture: "dafl-generator(width=4)", seed: 0), compute) == nil)
    }
}
