import Glibc
import LaneKernels
import Numerics
import Testing

@Suite struct ElementwiseKernelTests {
    @Test(arguments: [Float(0), 0.01, 0.2, 1, 2]) func leakyReLUBendsAtZero(slope: Float) throws {
        let numbers: [Float] = [-3, -1, -0.5, -1e-30, 0, 1e-30, 0.5, 1, 3, -100, 100, 7, -7, 2, -2, 0.25]
        let (x, y, dy, dx) = (try tensor(numbers), try Tensor([16]), try Tensor([16]), try Tensor([16]))
        dy.fill(3)
        for kernels in kernelSets {
            kernels.leaky_relu(x.pointer, y.pointer, slope, 16)
            kernels.leaky_relu_gradient(y.pointer, dy.pointer, dx.pointer, slope, 16)
            for i in 0..<16 {
                #expect(y[i] == (numbers[i] > 0 ? numbers[i] : slope * numbers[i]))
                #expect(dx[i] == (numbers[i] > 0 ? 3 : 3 * slope))
            }
        }
    }

    /// Relative error, because near zero tanh x is x.
    @Test func tanhIsAccurateEverywhere() throws {
        var numbers = (-20_000...20_000).map { Float($0) / 1000 }
        for exponent in 0...300 {
            let small = Float(pow(10, -Double(exponent) / 10))
            numbers += [small, -small]
        }
        numbers += [100, -100, 1e10, -1e10, .infinity, -.infinity, 0]
        let x = try tensor(numbers)
        let y = try Tensor([x.count])
        for kernels in kernelSets {
            kernels.tanh(x.pointer, y.pointer, x.count)
            var worst = 0.0
            for i in numbers.indices {
                let exact = tanh(Double(numbers[i]))
                let error = exact == 0 ? abs(Double(y[i])) : abs(Double(y[i]) / exact - 1)
                worst = error.isNaN ? .infinity : max(worst, error)
                #expect(abs(y[i]) <= 1)
            }
            #expect(worst < 5e-7, "\(kernels.title)")
        }
    }

    @Test func tanhGradientIsOneMinusItsSquare() throws {
        var random = Philox(seed: 1, stream: .check)
        let y = Rows(samples: 1, [64], from: &random).map { Double(Float(tanh($0))) }
        let dy = Rows(samples: 1, [64], from: &random)
        for kernels in kernelSets {
            let (output, gradient, dx) = (try Tensor(y.values), try Tensor(dy.values), try Tensor([64]))
            kernels.tanh_gradient(output.pointer, gradient.pointer, dx.pointer, 64)
            expectClose(dx, zip(y.values, dy.values).map { $1 * (1 - $0 * $0) }, within: 1e-6)
        }
    }

    @Test func addAddsAndMayWriteOverAnInput() throws {
        let (a, b) = (try tensor((0..<48).map { Float($0) }), try tensor((0..<48).map { Float(1000 - 3 * $0) }))
        for kernels in kernelSets {
            let sum = try Tensor([48])
            sum.load(a)
            kernels.add(sum.pointer, b.pointer, sum.pointer, 48)
            #expect((0..<48).allSatisfy { sum[$0] == Float(1000 - 2 * $0) })
        }
    }

    private func tensor(_ numbers: [Float]) throws -> Tensor {
        let tensor = try Tensor([(numbers.count + 15) / 16 * 16])
        for (i, number) in numbers.enumerated() { tensor[i] = number }
        return tensor
    }
}
