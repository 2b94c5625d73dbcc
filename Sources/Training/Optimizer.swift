import LaneKernels
import Networks
import Numerics

/// Moves weights against their gradients.
package protocol Optimizer: AnyObject, Persistent {
    func step(learningRate: Double)
    /// Forgets all steps before, for new weights in the same memory.
    func reset()
}

/// Adam (Kingma and Ba 2015); with `decoupledDecay`, AdamW (Loshchilov and Hutter 2019). PyTorch's defaults.
package final class Adam: Optimizer {
    private let parameters: [(value: Tensor, gradient: Tensor, firstMoment: Tensor, secondMoment: Tensor)]
    private let weightDecay: Double
    private let decoupledDecay: Bool
    private let compute: Compute
    /// Since the beginning, or since `reset`.
    private var steps = 0

    package init(
        _ parameters: [Parameter], weightDecay: Double = 0, decoupledDecay: Bool = false, _ compute: Compute
    ) throws {
        self.parameters = try parameters.compactMap { parameter in
            guard let gradient = parameter.gradient else { return nil }
            let shape = parameter.value.shape
            return (parameter.value, gradient, try Tensor(shape), try Tensor(shape))
        }
        self.weightDecay = weightDecay
        self.decoupledDecay = decoupledDecay
        self.compute = compute
    }

    package func persist(_ archive: Archive) {
        archive.whole("steps", &steps, in: Archive.counts)
        for (i, parameter) in parameters.enumerated() {
            archive.tensor("first_moment.\(i)", parameter.firstMoment)
            archive.tensor("second_moment.\(i)", parameter.secondMoment)
        }
    }

    package func step(learningRate: Double) {
        steps += 1
        let (beta1, beta2) = (0.9, 0.999)
        let step = lane_adam(
            learning_rate: Float(learningRate), epsilon: 1e-8, gain1: Float(1 - beta1), gain2: Float(1 - beta2),
            bias_correction1: Float(1 - power(beta1, steps)), bias_correction2: Float(1 - power(beta2, steps)),
            l2_decay: decoupledDecay ? 0 : Float(weightDecay), decoupled_decay: decoupledDecay ? Float(weightDecay) : 0)
        withUnsafePointer(to: step) { step in
            for (value, gradient, m, v) in parameters {
                compute.parallelFloats(value.count) { start, count in
                    compute.kernels.adam(
                        value.pointer + start, gradient.pointer + start, m.pointer + start, v.pointer + start, count, step)
                }
                value.touch()
            }
        }
    }

    package func reset() {
        steps = 0
        for parameter in parameters {
            parameter.firstMoment.fill(0)
            parameter.secondMoment.fill(0)
        }
    }

    private func power(_ base: Double, _ exponent: Int) -> Double {
        var (result, square, left) = (1.0, base, exponent)
        while left > 0 {
            if left & 1 == 1 { result *= square }
            square *= square
            left >>= 1
        }
        return result
    }
}

/// Stochastic gradient descent with momentum: v = momentum v + g, w = w - rate v.
package final class SGD: Optimizer {
    private let parameters: [(value: Tensor, gradient: Tensor, velocity: Tensor)]
    private let momentum: Double
    private let weightDecay: Double
    private let compute: Compute

    /// - Parameter weightDecay: added to the gradient, times the weight.
    package init(_ parameters: [Parameter], momentum: Double = 0.9, weightDecay: Double = 0, _ compute: Compute) throws {
        self.parameters = try parameters.compactMap { parameter in
            guard let gradient = parameter.gradient else { return nil }
            return (parameter.value, gradient, try Tensor(parameter.value.shape))
        }
        self.momentum = momentum
        self.weightDecay = weightDecay
        self.compute = compute
    }

    package func persist(_ archive: Archive) {
        for (i, parameter) in parameters.enumerated() { archive.tensor("velocity.\(i)", parameter.velocity) }
    }

    package func step(learningRate: Double) {
        for (value, gradient, velocity) in parameters {
            compute.parallelFloats(value.count) { start, count in
                compute.kernels.sgd(
                    value.pointer + start, gradient.pointer + start, velocity.pointer + start, count, Float(learningRate),
                    Float(momentum), Float(weightDecay))
            }
            value.touch()
        }
    }

    package func reset() {
        for parameter in parameters { parameter.velocity.fill(0) }
    }
}

/// The optimisers by name.
package enum OptimizerKind: String, CaseIterable {
    case adam, adamw, sgd

    package func make(
        _ parameters: [Parameter], weightDecay: Double, momentum: Double, _ compute: Compute
    ) throws -> any Optimizer {
        switch self {
        case .adam: return try Adam(parameters, weightDecay: weightDecay, compute)
        case .adamw: return try Adam(parameters, weightDecay: weightDecay, decoupledDecay: true, compute)
        case .sgd: return try SGD(parameters, momentum: momentum, weightDecay: weightDecay, compute)
        }
    }
}
