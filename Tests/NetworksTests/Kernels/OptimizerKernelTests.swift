import LaneKernels
import Numerics
import Testing

@Suite struct OptimizerKernelTests {
    /// Several steps at any count and alignment, against the formulas of Kingma and Ba, and of Loshchilov and Hutter.
    @Test(arguments: [1, 15, 16, 17, 50], [(0.0, 0.0), (0.1, 0), (0, 0.1)])
    func adamIsItsFormula(count: Int, decay: (l2: Double, decoupled: Double)) throws {
        let (rate, beta1, beta2, epsilon) = (0.05, 0.9, 0.999, 1e-8)
        for kernels in kernelSets {
            var random = Philox(seed: 1, stream: .check)
            var w = Rows(samples: 1, [count], from: &random).values
            var (m, v) = ([Double](repeating: 0, count: count), [Double](repeating: 0, count: count))
            let offset = 3  // from the 64 bytes that other kernels ask for
            let (weights, gradient) = (try Tensor([count + 4]), try Tensor([count + 4]))
            let (first, second) = (try Tensor([count + 4]), try Tensor([count + 4]))
            for i in 0..<count { weights[offset + i] = Float(w[i]) }
            weights[offset + count] = 77
            let start = w

            var (power1, power2) = (1.0, 1.0)
            for _ in 0..<5 {
                let g = Rows(samples: 1, [count], from: &random).values
                for i in 0..<count { gradient[offset + i] = Float(g[i]) }
                (power1, power2) = (power1 * beta1, power2 * beta2)
                var step = lane_adam(
                    learning_rate: Float(rate), epsilon: Float(epsilon), gain1: Float(1 - beta1), gain2: Float(1 - beta2),
                    bias_correction1: Float(1 - power1), bias_correction2: Float(1 - power2),
                    l2_decay: Float(decay.l2), decoupled_decay: Float(decay.decoupled))
                kernels.adam(
                    weights.pointer + offset, gradient.pointer + offset, first.pointer + offset,
                    second.pointer + offset,
                    count, &step)
                for i in 0..<count {
                    let decayed = g[i] + decay.l2 * w[i]
                    m[i] = beta1 * m[i] + (1 - beta1) * decayed
                    v[i] = beta2 * v[i] + (1 - beta2) * decayed * decayed
                    w[i] -= rate * decay.decoupled * w[i]
                    w[i] -= rate * (m[i] / (1 - power1)) / ((v[i] / (1 - power2)).squareRoot() + epsilon)
                }
            }
            // What the steps changed, not the weights, which hide a wrong step.
            expectClose(
                (0..<count).map { Double(weights[offset + $0]) - start[$0] }, zip(w, start).map { $0 - $1 },
                within: 5e-5, "\(kernels.title): change of w")
            expectClose((0..<count).map { Double(first[offset + $0]) }, m, "\(kernels.title): m")
            expectClose((0..<count).map { Double(second[offset + $0]) }, v, within: 5e-5, "\(kernels.title): v")
            #expect(weights[offset - 1] == 0 && weights[offset + count] == 77)
        }
    }

    /// A weight whose gradient has always been zero stays: 0 / (0 + epsilon).
    @Test func adamWithoutGradientStands() throws {
        for kernels in kernelSets {
            let (w, zero) = (try Tensor([17]), try Tensor([17]))
            let (m, v) = (try Tensor([17]), try Tensor([17]))
            w.fill(2)
            var step = lane_adam(
                learning_rate: 1, epsilon: 1e-8, gain1: 0.1, gain2: 0.001, bias_correction1: 0.1,
                bias_correction2: 1e-3,
                l2_decay: 0, decoupled_decay: 0)
            kernels.adam(w.pointer, zero.pointer, m.pointer, v.pointer, 17, &step)
            #expect((0..<17).allSatisfy { w[$0] == 2 })
        }
    }

    @Test(arguments: [1, 15, 16, 33], [(0.0, 0.0), (0.9, 0), (0.9, 0.01)])
    func sgdIsItsFormula(count: Int, setting: (momentum: Double, decay: Double)) throws {
        let rate = 0.1
        for kernels in kernelSets {
            var random = Philox(seed: 2, stream: .check)
            var w = Rows(samples: 1, [count], from: &random).values
            var v = [Double](repeating: 0, count: count)
            let (weights, velocity) = (try Tensor(w), try Tensor([count]))
            for _ in 0..<5 {
                let g = Rows(samples: 1, [count], from: &random).values
                let gradient = try Tensor(g)
                kernels.sgd(
                    weights.pointer, gradient.pointer, velocity.pointer, count, Float(rate), Float(setting.momentum),
                    Float(setting.decay))
                for i in 0..<count {
                    v[i] = setting.momentum * v[i] + g[i] + setting.decay * w[i]
                    w[i] -= rate * v[i]
                }
            }
            expectClose(weights, w, "\(kernels.title): w")
            expectClose(velocity, v, "\(kernels.title): v")
        }
    }
}
