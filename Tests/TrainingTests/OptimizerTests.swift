import Networks
import Numerics
import Testing
import Training

@Suite struct OptimizerTests {
    struct Setting: Sendable, CustomTestStringConvertible {
        let kind: OptimizerKind
        let weightDecay, momentum: Double
        var testDescription: String { "\(kind), weight decay \(weightDecay), momentum \(momentum)" }
    }

    static let settings = [
        Setting(kind: .adam, weightDecay: 0, momentum: 0.9), Setting(kind: .adam, weightDecay: 0.1, momentum: 0.9),
        Setting(kind: .adamw, weightDecay: 0, momentum: 0.9), Setting(kind: .adamw, weightDecay: 0.1, momentum: 0.9),
        Setting(kind: .sgd, weightDecay: 0, momentum: 0), Setting(kind: .sgd, weightDecay: 0, momentum: 0.9),
        Setting(kind: .sgd, weightDecay: 0.1, momentum: 0.5),
    ]

    /// The papers' formulas in Double, for one weight.
    struct Reference {
        let setting: Setting
        private var steps = 0.0
        private var (m, v) = (0.0, 0.0)
        private var (power1, power2) = (1.0, 1.0)

        init(_ setting: Setting) { self.setting = setting }

        mutating func step(_ w: inout Double, gradient: Double, rate: Double) {
            let decay = setting.weightDecay
            let g = gradient + (setting.kind == .adamw ? 0 : decay * w)
            guard setting.kind != .sgd else {
                v = setting.momentum * v + g
                w -= rate * v
                return
            }
            (power1, power2) = (power1 * 0.9, power2 * 0.999)
            m = 0.9 * m + 0.1 * g
            v = 0.999 * v + 0.001 * g * g
            if setting.kind == .adamw { w -= rate * decay * w }
            w -= rate * (m / (1 - power1)) / ((v / (1 - power2)).squareRoot() + 1e-8)
        }
    }

    /// Of two weights, one of them large enough to be shared among threads, with a rate that changes.
    @Test(arguments: settings, [1, 3]) func stepsAreTheFormulas(_ setting: Setting, threads: Int) throws {
        var random = Philox(seed: 1, stream: .check)
        let parameters = [
            try Parameter(name: "small", shape: [3, 7], initial: .kept), try Parameter(name: "large", shape: [129, 129], initial: .kept),
            try Parameter(name: "buffer", shape: [4], isTrained: false, initial: .kept),
        ]
        for parameter in parameters {
            for i in 0..<parameter.value.count { parameter.value[i] = random.nextNormal() }
        }
        let start = parameters.map { doubles($0.value) }
        let optimizer = try setting.kind.make(
            parameters, weightDecay: setting.weightDecay, momentum: setting.momentum, Compute(threads: threads))
        var expected = start
        var references = start.map { $0.map { _ in Reference(setting) } }
        for rate in [0.1, 0.1, 0.01, 0.05] {
            for (p, parameter) in parameters.enumerated() {
                guard let gradient = parameter.gradient else { continue }
                for i in 0..<gradient.count {
                    gradient[i] = random.nextNormal()
                    references[p][i].step(&expected[p][i], gradient: Double(gradient[i]), rate: rate)
                }
            }
            optimizer.step(learningRate: rate)
        }
        for (p, parameter) in parameters.enumerated() {
            // What the steps changed, not the weights, which hide a wrong step.
            let change = zip(doubles(parameter.value), start[p]).map { $0 - $1 }
            #expect(distance(change, zip(expected[p], start[p]).map { $0 - $1 }) < 2e-5, "\(parameter.name)")
        }
    }

    @Test func namesArePinned() {
        #expect(OptimizerKind.allCases.map(\.rawValue) == ["adam", "adamw", "sgd"])
    }

    private func doubles(_ tensor: Tensor) -> [Double] { (0..<tensor.count).map { Double(tensor[$0]) } }
}
