import Networks
import Numerics

/// A network of the library as the teacher. It works in the generator's own memory, without copies.
package final class NetworkTeacher: Teacher {
    let network: Network

    /// - Parameter network: not to be changed while the teacher is in use.
    package init(_ network: Network) {
        self.network = network
    }

    /// Those that its first layer standardises; nil when it takes standardised images.
    var ownUnits: InputUnits? { network.inputUnits }
    package var inputShape: Shape { network.inputShape }
    package var classes: Int { network.outputShape.count }
    package var features: Int { network.featureShape?.count ?? 0 }
    package var givesGradients: Bool { true }

    package func plan(_ images: Batch, gradients: Bool, _ compute: Compute) throws -> any TeacherPass {
        try NetworkTeacherPass(Pass(network, input: images, gradients: gradients ? .input : [], compute))
    }

    /// The statistics that its batch normalisations kept.
    package func planRegularizer(_ images: Batch, _ compute: Compute) throws -> (any ImageRegularizer)? {
        network.keepsStatistics ? try StatisticsRegularizer(network, images, compute) : nil
    }
}

private final class StatisticsRegularizer: ImageRegularizer {
    let gradient: Batch
    private let pass: Pass

    init(_ network: Network, _ images: Batch, _ compute: Compute) throws {
        pass = try Pass(network, input: images, gradients: [.input, .statistics], compute)
        guard let gradient = pass.inputGradient else { preconditionFailure("a pass planned for it has its input's gradient") }
        self.gradient = gradient
    }

    func evaluate() -> Double {
        pass.forward()
        pass.backward()  // from an output gradient of zero: nothing but the statistics counts
        return pass.statisticsDistance
    }
}

private final class NetworkTeacherPass: TeacherPass {
    private let pass: Pass

    init(_ pass: Pass) {
        self.pass = pass
    }

    var images: Batch { pass.input }
    var logits: Batch { pass.output }
    var features: Batch? { pass.features }
    var logitsGradient: Batch? { pass.outputGradient }
    var featuresGradient: Batch? { pass.featuresGradient }
    var imagesGradient: Batch? { pass.inputGradient }

    func forward() { pass.forward() }
    func backward() { pass.backward() }
}
