import Glibc
import Networks
import Numerics

@testable import Distillation

/// A network as a teacher that gives its answers in another form than logits, or not the same ones each time.
final class StrangeTeacher: WrappingTeacher {
    enum Habit { case none, softmax, oneLogit, oneSigmoid, dropout, batchStatistics, stubborn }

    let wrapped: any Teacher
    let network: Network
    private let habit: Habit
    private var random = Philox(seed: 9, stream: .check)
    /// Whether it has a regularizer that is not the same twice.
    var regularizerIsCrooked = false

    init(of network: Network, _ habit: Habit = .none) {
        (self.network, wrapped, self.habit) = (network, NetworkTeacher(network), habit)
    }

    convenience init(architecture: String = "mlp-64-16-4", seed: UInt64 = 1, _ habit: Habit) throws {
        self.init(of: try Network(architecture: architecture, seed: seed), habit)
    }

    var classes: Int { habit == .oneLogit || habit == .oneSigmoid ? 1 : wrapped.classes }

    var hasRegularizer: Bool { regularizerIsCrooked }

    func plan(_ images: Batch, gradients: Bool, regularizerWeight: Double, _ compute: Compute) throws -> any TeacherPass {
        let pass = try StrangePass(wrapped.plan(images, gradients: gradients, compute), self, gradients: gradients)
        guard regularizerIsCrooked, regularizerWeight != 0 else { return pass }
        var random = Philox(seed: 3, stream: .check)
        return try RegularizedPass(pass, weight: regularizerWeight) { gradient in
            gradient.load(pass.images)
            return Double(random.nextNormal())
        }
    }

    private final class StrangePass: WrappingTeacherPass {
        let wrapped: any TeacherPass
        let logits: Batch
        let logitsGradient: Batch?
        private let teacher: StrangeTeacher

        init(_ pass: any TeacherPass, _ teacher: StrangeTeacher, gradients: Bool) throws {
            (wrapped, self.teacher) = (pass, teacher)
            logits = try Batch(samples: pass.images.samples, shape: Shape([teacher.classes]))
            logitsGradient = gradients ? try Batch(samples: pass.images.samples, shape: logits.shape) : nil
        }

        func forward() throws {
            try wrapped.forward()
            let t = wrapped.logits
            for i in 0..<t.samples {
                switch teacher.habit {
                case .softmax:
                    let total = (0..<t.elements).reduce(Float(0)) { $0 + exp(t[i, $1]) }
                    for k in 0..<t.elements { logits[i, k] = exp(t[i, k]) / total }
                case .oneLogit: logits[i, 0] = 8 * (t[i, 1] - t[i, 0])
                case .oneSigmoid: logits[i, 0] = 1 / (1 + exp(t[i, 0] - t[i, 1]))
                case .dropout: for k in 0..<t.elements { logits[i, k] = t[i, k] + teacher.random.nextNormal() }
                case .batchStatistics:
                    for k in 0..<t.elements {
                        logits[i, k] = t[i, k] - (0..<t.samples).reduce(Float(0)) { $0 + t[$1, k] / Float(t.samples) }
                    }
                case .stubborn: for k in 0..<t.elements { logits[i, k] = t[i, k] + (k == 2 ? 100 : 0) }
                case .none: for k in 0..<t.elements { logits[i, k] = t[i, k] }
                }
            }
        }

        func backward() throws {
            guard let logitsGradient, let by = wrapped.logitsGradient else { return }
            for i in 0..<logits.samples {
                switch teacher.habit {
                case .softmax:
                    let mean = (0..<by.elements).reduce(Float(0)) { $0 + logits[i, $1] * logitsGradient[i, $1] }
                    for k in 0..<by.elements { by[i, k] = logits[i, k] * (logitsGradient[i, k] - mean) }
                case .oneLogit: (by[i, 0], by[i, 1]) = (-8 * logitsGradient[i, 0], 8 * logitsGradient[i, 0])
                case .oneSigmoid:
                    let slope = logits[i, 0] * (1 - logits[i, 0]) * logitsGradient[i, 0]
                    (by[i, 0], by[i, 1]) = (-slope, slope)
                default: for k in 0..<by.elements { by[i, k] = logitsGradient[i, k] }
                }
            }
            try wrapped.backward()
        }
    }
}
