import Numerics

/// A named tensor of a network: a trained weight with its gradient, or a buffer such as a running mean.
package final class Parameter {
    /// As in PyTorch's state_dict, for example "conv1.weight".
    package let name: String
    package let value: Tensor
    /// What the last backward pass wrote; nil for a buffer, which is not trained.
    package let gradient: Tensor?

    /// What its numbers may be; its layer is not defined for others.
    package enum Allowed: String {
        case finite
        /// Of a variance, whose root is taken.
        case finiteAndNotNegative = "finite and at least 0"
        /// Of a deviation, by which is divided.
        case finiteAndPositive = "finite and above 0"

        package func contains(_ number: Float) -> Bool {
            switch self {
            case .finite: number.isFinite
            case .finiteAndNotNegative: number.isFinite && number >= 0
            case .finiteAndPositive: number.isFinite && number > 0 && (1 / number).isFinite
            }
        }
    }

    package let allowed: Allowed

    /// What new weights are drawn from.
    package enum Initial: Equatable {
        /// As PyTorch's linear and convolution layers: uniform in ±1/sqrt(fan-in), of which zeros are the start.
        case uniform(fanIn: Int)
        case constant(Float)
        /// No weight: what it holds belongs to the network, and no draw changes it.
        case kept
    }

    package let initial: Initial

    /// For as many the C interface has room.
    private static let mostDimensions = 8

    package init(
        name: String, shape: [Int], isTrained: Bool = true, allowed: Allowed = .finite, initial: Initial
    ) throws {
        guard shape.count <= Self.mostDimensions else {
            throw DaflError.invalid("the number of dimensions of \(name)", shape.count, "at most \(Self.mostDimensions)")
        }
        (self.name, self.allowed, self.initial) = (name, allowed, initial)
        value = try Tensor(shape)
        gradient = isTrained ? try Tensor(shape) : nil
        if case .constant(let number) = initial, number != 0 { value.fill(number) }
    }

    package var isTrained: Bool { gradient != nil }

    /// The place of the first of `value.count` numbers that is not allowed; nil when all of them are.
    package func firstRefused(of numbers: UnsafePointer<Float>) -> Int? {
        (0..<value.count).first { !allowed.contains(numbers[$0]) }
    }

    /// - Throws: an error of the status when a number that it has is not allowed.
    package func requireAllowed(or status: Status) throws {
        guard let i = firstRefused(of: value.pointer) else { return }
        throw DaflError(status, "tensor \(name) has the number \(value[i]) at \(i); it must be \(allowed.rawValue)")
    }
}
