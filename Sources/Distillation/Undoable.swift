import Networks
import Numerics
import Training

/// Something that a step changes, and that can take it back: a step that fails is as if it had never begun.
protocol Undoable: AnyObject {
    /// Keeps the state as it is now.
    func keep()
    /// Brings back what was kept.
    func undo()
}

/// Weights in training and their optimizer, as they were.
final class KeptTraining: Undoable {
    private let tensors: [(now: Tensor, kept: Tensor)]
    private let optimizer: any Optimizer
    private var steps = 0

    /// - Parameter parameters: buffers too.
    init(_ parameters: [Parameter], _ optimizer: any Optimizer) throws {
        tensors = try (parameters.map(\.value) + optimizer.moments).map { ($0, try Tensor($0.shape)) }
        self.optimizer = optimizer
    }

    func keep() {
        for (now, kept) in tensors { kept.load(now) }
        steps = optimizer.steps
    }

    func undo() {
        for (now, kept) in tensors { now.load(kept) }
        optimizer.steps = steps
    }
}
