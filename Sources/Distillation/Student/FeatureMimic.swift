import Networks
import Numerics
import Training

/// Feature mimicking (Li, Jin and Yan 2017): the student's features, led through a learned linear map, are to be the teacher's.
///
///     L_mimic = 1/(n F) sum_i norm2(A g_i + b - f_i)^2
///
/// for the teacher's features f [n, F] and the student's g [n, G].
final class FeatureMimic {
    /// A and b, trained along with the student.
    let map: Network
    private let pass: Pass
    private let gradient: Batch
    private let sums: Doubles
    private let compute: Compute

    /// - Parameters:
    ///   - features: g, where the student writes them.
    ///   - gradient: dL/dg, where the student reads it.
    init(features: Batch, gradient: Batch, teacherFeatures: Int, seed: UInt64, _ compute: Compute) throws {
        map = try Network(architecture: "mlp-\(features.elements)-\(teacherFeatures)")
        var random = Philox(seed: seed, stream: .mimic)
        map.initialise(&random)
        pass = try Pass(map, input: features, gradients: [.weights, .input], compute)
        self.gradient = gradient
        sums = try Doubles(count: features.blocks)
        self.compute = compute
    }

    /// After the student's forward pass: returns L_mimic, and writes the gradients of `weight` times it by the student's
    /// features and by the map's weights.
    func evaluate(teacher f: Batch, weight: Double) -> Double {
        pass.forward(training: true)
        guard let byMapped = pass.outputGradient, let byFeatures = pass.inputGradient else { return 0 }
        let (mapped, count) = (pass.output, Double(f.samples) * Double(f.elements))
        let sum = compute.sum(overBlocksOf: f, in: sums) { blocks, sums in
            compute.kernels.squared_error(
                mapped.pointer, f.pointer, 2 * weight / count, byMapped.pointer, f.samples, f.elements, sums,
                blocks.lowerBound, blocks.upperBound)
        }
        pass.backward()
        gradient.load(byFeatures)
        return sum / count
    }
}
