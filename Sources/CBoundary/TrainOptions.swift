import CDafl
import Training

extension SupervisedTraining {
    var inC: dafl_train_options {
        var c = dafl_train_options()
        OptionFields.write(self, to: &c)
        return c
    }

    /// - Throws: `invalidArgument` for the first option that is out of its range.
    init(_ c: dafl_train_options) throws {
        self.init()
        try OptionFields.read(c, into: &self)
        try requireInRange()
    }
}
