import LaneKernels
import Numerics

/// A function of one number, applied to all.
package final class Activation: Layer {
    let function: lane_activation
    let a: Float
    let b: Float

    init(_ function: lane_activation, a: Float = 0, b: Float = 0) {
        (self.function, self.a, self.b) = (function, a, b)
    }

    /// The function's constants as ONNX defines SELU.
    static func selu() -> Activation { Activation(LANE_SELU, a: 1.6732632, b: 1.0507010) }

    /// `alpha`, 1.
    static func elu(_ blueprint: Blueprint) throws -> Activation {
        Activation(LANE_ELU, a: try blueprint.number("alpha", -1e6...1e6, or: 1))
    }

    /// `approximation`, "none".
    static func gelu(_ blueprint: Blueprint) throws -> Activation {
        enum Approximation: String, CaseIterable { case none, tanh }
        return Activation(
            try blueprint.choice("approximation", or: Approximation.none) == .tanh ? LANE_GELU_TANH : LANE_GELU)
    }

    /// `alpha`, 1/6; `beta`, 0.5.
    static func hardSigmoid(_ blueprint: Blueprint) throws -> Activation {
        Activation(
            LANE_HARD_SIGMOID, a: try blueprint.number("alpha", -1e6...1e6, or: 1 / 6.0),
            b: try blueprint.number("beta", -1e6...1e6, or: 0.5))
    }

    /// `low` and `high`, neither of which has to be there.
    static func clip(_ blueprint: Blueprint) throws -> Activation {
        let all = -Double(Float.greatestFiniteMagnitude)...Double(Float.greatestFiniteMagnitude)
        let (low, high) = (
            try blueprint.number("low", all, or: -.infinity), try blueprint.number("high", all, or: .infinity)
        )
        guard low <= high else { throw blueprint.invalid("low", low, "at most high, \(high)") }
        return Activation(LANE_CLIP, a: low, b: high)
    }

    /// `exponent`.
    static func power(_ blueprint: Blueprint) throws -> Activation {
        Activation(LANE_POWER, a: try blueprint.number("exponent", -1e6...1e6))
    }

    /// Whether it makes infinity or NaN of numbers that samples need not have.
    var isPartial: Bool { [LANE_EXP, LANE_LOG, LANE_POWER, LANE_RECIPROCAL, LANE_SQRT].contains(function) }

    package func outputShape(_ inputs: [Shape]) throws -> Shape { try soleInput(inputs, of: "an activation") }

    package func backwardReads(trains: Bool) -> BackwardReads { .inputs }

    package func plan(_ site: Site) throws -> any Operation { ActivationOperation(site, self) }
}

final class ActivationOperation: Operation {
    private let site: Site
    private let layer: Activation

    init(_ site: Site, _ layer: Activation) {
        self.site = site
        self.layer = layer
    }

    func forward(training: Bool) {
        let (x, y) = (site.inputs[0].value, site.output.value)
        site.compute.parallelFloats(y.count) { start, count in
            site.compute.kernels.activate(layer.function, layer.a, layer.b, x.pointer + start, y.pointer + start, count)
        }
        if layer.isPartial { site.clearUnusedLanes() }
    }

    func backward() {
        guard let dy = site.output.gradient, let dx = site.inputs[0].gradient else { return }
        let x = site.inputs[0].value
        site.compute.parallelFloats(x.count) { start, count in
            site.compute.kernels.activate_gradient(
                layer.function, layer.a, layer.b, x.pointer + start, dy.pointer + start, dx.pointer + start, count)
        }
    }
}

extension Site {
    /// Zeros in the output's lanes that no sample fills, where a later layer would multiply infinity by its gradient's
    /// zeros.
    func clearUnusedLanes() {
        compute.kernels.clear_unused(output.value.pointer, samples, output.value.elements)
    }
}
