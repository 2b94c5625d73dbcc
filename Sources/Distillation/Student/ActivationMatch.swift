import Networks
import Numerics
import Training

/// What passes from layer to layer of a student that started with its teacher's weights, and so has some of its channels: these
/// are to stay what they are in the teacher.
///
///     L_match = sum_p 1/(n C P v_p) sum norm2(s_p - t_p)^2
///
/// over the places p where layers with weights read: n samples of C channels of P pixels, whose mean variance in the teacher is
/// v_p. It says of each layer what to make of pictures, whatever the layers behind make of it: on pictures unlike the teacher's
/// data, much more than the answers alone do (benchmarks/ablation.md).
final class ActivationMatch {
    /// A place: nodes of the student and of the teacher, and which of the teacher's channels the student's are.
    struct Place {
        let student: Int
        let teacher: Int
        let channels: [Int]
        let variance: Double
    }

    private let places: [Place]
    private let values: [Batch]
    private let gradients: [Batch]
    private let sums: Doubles
    private let compute: Compute

    /// - Parameter pass: the student's, which watches the places' nodes, in their order.
    init(_ places: [Place], pass: Pass, _ compute: Compute) throws {
        (self.places, values, gradients) = (places, pass.watched, pass.watchedGradients)
        sums = try Doubles(count: pass.input.blocks)
        self.compute = compute
    }

    /// After the student's forward pass: returns L_match, and writes its gradients by what the places hold.
    func evaluate(teacher: [Batch]) -> Double {
        var total = 0.0
        for (i, place) in places.enumerated() {
            let (student, gradient, target) = (values[i], gradients[i], teacher[i])
            let channels = place.channels.count, pixels = student.elements / channels
            let weight = 1 / (Double(student.samples) * Double(student.elements) * place.variance)
            // A channel's pixels lie side by side within a block of samples.
            for (own, theirs) in place.channels.enumerated() {
                for block in 0..<student.blocks {
                    let start = (block * student.elements + own * pixels) * Batch.lanes
                    let other = (block * target.elements + theirs * pixels) * Batch.lanes
                    let used = min(Batch.lanes, student.samples - block * Batch.lanes)
                    compute.kernels.squared_error(
                        student.pointer + start, target.pointer + other, 2 * weight, gradient.pointer + start, used, pixels,
                        sums.pointer, 0, 1)
                    total += weight * sums[0]
                }
            }
        }
        return total
    }
}
