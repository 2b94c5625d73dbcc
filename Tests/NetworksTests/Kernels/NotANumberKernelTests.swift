import LaneKernels
import Numerics
import Testing

/// A NaN must reach the loss, where training sees that it diverged, and not turn into an innocent number on the way.
@Suite struct NotANumberKernelTests {
    @Test(arguments: [Float(0), 0.2]) func activationsKeepIt(slope: Float) throws {
        let (x, y) = (try Tensor([16]), try Tensor([16]))
        for lane in 0..<16 {
            x.fill(0.5)
            x[lane] = .nan
            for kernels in kernelSets {
                kernels.tanh(x.pointer, y.pointer, 16)
                #expect((0..<16).allSatisfy { y[$0].isNaN == ($0 == lane) }, "\(kernels.title): tanh")
                kernels.leaky_relu(x.pointer, y.pointer, slope, 16)
                #expect((0..<16).allSatisfy { y[$0].isNaN == ($0 == lane) }, "\(kernels.title): leaky ReLU")
            }
        }
    }

    @Test(arguments: 0..<4) func theMaximumOfAWindowKeepsIt(pixel: Int) throws {
        var shape = lane_pooling(channels: 1, height: 2, width: 2, window: (2, 2), strides: (2, 2))
        let x = try Rows(samples: 2, [1, 2, 2], [1, 2, 3, 4, 4, 3, 2, 1]).batch()
        let y = try Batch(samples: 2, shape: Shape([1]))
        x[1, pixel] = .nan
        for kernels in kernelSets {
            kernels.max_pool(&shape, x.pointer, y.pointer, 0, 1)
            #expect(y[0, 0] == 4 && y[1, 0].isNaN, "\(kernels.title)")
        }
    }

    @Test(arguments: 0..<3) func oneLogitSpoilsItsSampleOnly(logit: Int) throws {
        let x = try Rows(samples: 2, [3], [1, 2, 3, 3, 2, 1]).batch()
        let (p, logP) = (try Batch(samples: 2, shape: x.shape), try Batch(samples: 2, shape: x.shape))
        x[1, logit] = .nan
        for kernels in kernelSets {
            kernels.softmax(x.pointer, 1, p.pointer, logP.pointer, 3, 0, 1)
            for k in 0..<3 {
                #expect(p[0, k].isFinite && logP[0, k].isFinite)
                #expect(p[1, k].isNaN && logP[1, k].isNaN, "\(kernels.title)")
            }
        }
    }

    @Test(arguments: 0..<3) func aLossKeepsIt(logit: Int) throws {
        let x = try Rows(samples: 2, [3], [1, 2, 3, 3, 2, 1]).batch()
        let (p, logP) = (try Batch(samples: 2, shape: x.shape), try Batch(samples: 2, shape: x.shape))
        let (zeros, gradient) = (try Batch(samples: 2, shape: x.shape), try Batch(samples: 2, shape: x.shape))
        let ones = try Batch(samples: 2, shape: x.shape)
        ones.fill(1)
        x[1, logit] = .nan
        for kernels in kernelSets {
            func expectNaN(_ what: String, _ loss: (UnsafeMutablePointer<Double>) -> Void) {
                var sum = 0.0
                loss(&sum)
                #expect(sum.isNaN, "\(kernels.title): \(what)")
            }
            kernels.softmax(x.pointer, 1, p.pointer, logP.pointer, 3, 0, 1)
            expectNaN("cross entropy") { kernels.cross_entropy(p.pointer, logP.pointer, [0, 1], nil, 2, 3, $0, 0, 1) }
            expectNaN("divergence") {
                kernels.divergence(
                    p.pointer, logP.pointer, zeros.pointer, zeros.pointer, 1, gradient.pointer, 2, 3, $0, 0, 1)
            }
            expectNaN("divergence to it") {
                kernels.divergence(
                    ones.pointer, zeros.pointer, p.pointer, logP.pointer, 1, gradient.pointer, 2, 3, $0, 0, 1)
            }
            expectNaN("magnitudes") { kernels.magnitudes(x.pointer, 1, nil, 2, 3, $0, 0, 1) }
            expectNaN("squared error") {
                kernels.squared_error(x.pointer, zeros.pointer, 1, gradient.pointer, 2, 3, $0, 0, 1)
            }
        }
    }
}
