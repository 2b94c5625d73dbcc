import Glibc

/// How a learning rate changes over a run.
package enum Schedule: String, CaseIterable {
    case constant
    /// Half a cosine from the initial rate to zero.
    case cosine
    /// A tenth after half of the run, a hundredth after three quarters.
    case step

    /// The rate at `step` of `steps`.
    package func rate(initial: Double, step: Int, of steps: Int) -> Double {
        let progress = Double(step) / Double(max(steps, 1))
        switch self {
        case .constant: return initial
        case .cosine: return initial * 0.5 * (1 + cos(Double.pi * min(progress, 1)))
        case .step: return initial * (progress < 0.5 ? 1 : progress < 0.75 ? 0.1 : 0.01)
        }
    }
}
