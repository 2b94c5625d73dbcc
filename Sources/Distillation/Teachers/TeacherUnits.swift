import Networks
import Numerics

/// The units of a teacher's inputs.
struct TeacherUnits {
    let units: InputUnits
    /// Of one input.
    let shape: Shape
    /// What its inputs lie in, where the host says so.
    var range: ClosedRange<Float>?

    /// The range's ends in standardised units; nil where no range is known.
    var standardisedRange: ClosedRange<Float>? {
        let (mean, deviation) = (units.mean.value[0], units.deviation.value[0])
        return range.map { quotient($0.lowerBound - mean, deviation)...quotient($0.upperBound - mean, deviation) }
    }

    /// The same for a network that takes or makes the teacher's inputs in another shape.
    func viewed(as other: Shape) throws -> InputUnits { try units.viewed(from: shape, as: other) }

    /// From standardised images, in the teacher's shape or another view of it, to the teacher's inputs.
    func plan(_ images: Batch, gradients: Bool, _ compute: Compute) throws -> RestoringPass {
        let scaling = try Network(scaling: images.shape, viewed(as: images.shape), .restoring)
        return RestoringPass(try Pass(scaling, input: images, gradients: gradients ? .input : [], compute), range)
    }
}

/// Standardised images x on their way to a teacher's inputs, x deviation + mean, or what of its range is nearest to that.
final class RestoringPass {
    private let scaling: Pass
    private let range: ClosedRange<Float>?

    init(_ scaling: Pass, _ range: ClosedRange<Float>?) {
        (self.scaling, self.range) = (scaling, range)
    }

    var input: Batch { scaling.input }
    var output: Batch { scaling.output }
    var inputGradient: Batch? { scaling.inputGradient }

    func forward() {
        scaling.forward()
        guard let range else { return }
        for i in 0..<output.count { output.pointer[i] = min(max(output.pointer[i], range.lowerBound), range.upperBound) }
    }

    /// From the gradient by `output` to `inputGradient`: none where the range has cut.
    func backward(_ gradient: Batch) {
        guard let byOutput = scaling.outputGradient else { return }
        byOutput.load(gradient)
        if let range {
            for i in 0..<output.count where output.pointer[i] <= range.lowerBound || output.pointer[i] >= range.upperBound {
                byOutput.pointer[i] = 0
            }
        }
        scaling.backward()
    }
}

extension DistillationOptions {
    /// Those that the host says; nil for none.
    /// - Throws: `invalidArgument` when they do not fit the teacher.
    func units(of teacher: any Teacher) throws -> TeacherUnits? {
        let shape = teacher.inputShape
        if let inputStatistics { return TeacherUnits(units: try inputStatistics.units(for: shape), shape: shape) }
        guard inputLow < inputHigh else { return nil }
        let width = inputHigh - inputLow
        let units = try InputUnits(mean: Float(inputLow + 0.35 * width), deviation: Float(0.3 * width))
        guard units.deviation.firstRefused(of: units.deviation.value.pointer) == nil else {
            throw DaflError.invalid("input_high", inputHigh, "so far above input_low, \(inputLow), that float32 can tell")
        }
        return TeacherUnits(units: units, shape: shape, range: Float(inputLow)...Float(inputHigh))
    }
}
