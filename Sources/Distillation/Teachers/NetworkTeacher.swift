import Networks
import Numerics

/// A network of the library as the teacher. It works in the generator's own memory, without copies.
package final class NetworkTeacher: Teacher {
    let network: Network
    /// Nodes of the network whose outputs its passes show.
    private let watching: [Int]

    /// - Parameter network: not to be changed while the teacher is in use.
    package convenience init(_ network: Network) { self.init(network, watching: []) }

    init(_ network: Network, watching: [Int]) {
        (self.network, self.watching) = (network, watching)
    }

    /// The same teacher, of which what some nodes put out can be seen.
    func watching(_ nodes: [Int]) -> NetworkTeacher { NetworkTeacher(network, watching: nodes) }

    /// Those that its first layer standardises; nil when it takes standardised images.
    var ownUnits: InputUnits? { network.inputUnits }
    package var inputShape: Shape { network.inputShape }
    package var classes: Int { network.outputShape.count }
    package var features: Int { network.featureShape?.count ?? 0 }
    package var givesGradients: Bool { true }

    /// By the statistics that its batch normalisations kept.
    package var hasRegularizer: Bool { network.keepsStatistics }

    package func plan(
        _ images: Batch, gradients: Bool, regularizerWeight: Double, _ compute: Compute
    ) throws -> any TeacherPass {
        let weight = hasRegularizer ? Float(regularizerWeight) : 0
        return try NetworkTeacherPass(
            Pass(network, input: images, gradients: gradients || weight != 0 ? .input : [], statisticsWeight: weight,
                watching: watching, compute))
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
    var regularizer: Double { pass.statisticsDistance }
    var watched: [Batch] { pass.watched }

    func forward() { pass.forward() }
    func backward() { pass.backward() }
}

extension Network {
    /// In hexadecimal digits.
    var weightsChecksum: String {
        var checksum = Checksum()
        for parameter in parameters { checksum.add(parameter.value) }
        return String(checksum.value, radix: 16)
    }
}
