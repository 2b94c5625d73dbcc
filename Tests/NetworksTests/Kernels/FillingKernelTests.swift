import LaneKernels
import Numerics
import Testing

@Suite struct FillingKernelTests {
    @Test(arguments: [1, 16, 40]) func numbersSpreadToEverySample(samples: Int) throws {
        let numbers = try Tensor([1, 2.5, -3, .infinity, 5])
        let blocks = Batch.blocks(of: samples)
        for kernels in kernelSets {
            let y = try Batch(samples: samples, shape: Shape([5]))
            for (first, end) in [(part(of: blocks), blocks), (0, part(of: blocks))] {
                kernels.spread(numbers.pointer, y.pointer, 5, first, end)
            }
            for sample in 0..<samples { #expect((0..<5).allSatisfy { y[sample, $0] == numbers[$0] }) }
        }
    }

    @Test(arguments: [1, 15, 16, 17, 32]) func unusedLanesAreCleared(samples: Int) throws {
        for kernels in kernelSets {
            let x = try Batch(samples: samples, shape: Shape([3]))
            x.fill(.nan)
            for sample in 0..<samples { for i in 0..<3 { x[sample, i] = Float(sample + i) } }
            kernels.clear_unused(x.pointer, samples, 3)
            #expect(x.unusedLanes.allSatisfy { $0 == 0 }, "\(kernels.title)")
            for sample in 0..<samples { #expect((0..<3).allSatisfy { x[sample, $0] == Float(sample + $0) }) }
        }
    }
}
