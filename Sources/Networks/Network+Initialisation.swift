import Numerics

extension Network {
    /// Draws new weights, each from what its layer says.
    package func initialise(_ random: inout Philox) {
        for parameter in parameters {
            switch parameter.initial {
            case .uniform(let fanIn):
                let bound = 1 / Float(fanIn).squareRoot()
                for i in 0..<parameter.value.count { parameter.value[i] = bound * random.nextSymmetric() }
                parameter.value.touch()
            case .constant(let number): parameter.value.fill(number)
            case .kept: break
            }
        }
    }
}
