import CDafl
import Numerics
import Training

extension SupervisedTraining {
    var inC: dafl_train_options {
        var c = dafl_train_options()
        c.seed = seed
        c.epochs = Int64(epochs)
        c.batch_size = Int64(batchSize)
        c.optimizer = optimizer.nameInC
        c.schedule = schedule.nameInC
        c.learning_rate = learningRate
        c.weight_decay = weightDecay
        c.momentum = momentum
        return c
    }

    /// - Throws: `invalidArgument` for the first option outside its range.
    init(_ c: dafl_train_options) throws {
        self.init()
        seed = c.seed
        epochs = try requireWhole(c.epochs, "epochs", 1...1 << 30)
        batchSize = try requireWhole(c.batch_size, "batch_size", 1...1 << 30)
        optimizer = try requireCase(c.optimizer, "optimizer")
        schedule = try requireCase(c.schedule, "schedule")
        func require(_ value: Double, _ name: String, _ range: ClosedRange<Double>) throws -> Double {
            guard range.contains(value) else {
                throw DaflError.invalid(name, value, "from \(range.lowerBound) to \(range.upperBound)")
            }
            return value
        }
        learningRate = try require(c.learning_rate, "learning_rate", 0...1e6)
        weightDecay = try require(c.weight_decay, "weight_decay", 0...1e6)
        momentum = try require(c.momentum, "momentum", 0...1)
    }
}

extension OptimizerKind {
    fileprivate var nameInC: UnsafePointer<CChar> {
        switch self {
        case .adam: StaticText.pointer("adam")
        case .adamw: StaticText.pointer("adamw")
        case .sgd: StaticText.pointer("sgd")
        }
    }
}

extension Schedule {
    var nameInC: UnsafePointer<CChar> {
        switch self {
        case .constant: StaticText.pointer("constant")
        case .cosine: StaticText.pointer("cosine")
        case .step: StaticText.pointer("step")
        }
    }
}
