import LaneKernels
import Numerics

/// The numbers that a `FakeQuantization` rounds to: `scale` times whole ones from `low` to `high`, of which `zero` is 0.
package struct ActivationGrid: Equatable {
    package let scale: Float
    package let zero: Int
    package let low: Int
    package let high: Int

    package init(scale: Float, zero: Int, low: Int, high: Int) {
        (self.scale, self.zero, self.low, self.high) = (scale, zero, low, high)
    }

    /// Whether its whole numbers are all that a byte can be, with a sign or without.
    package var isOfBytes: Bool { (low, high) == (-128, 127) || (low, high) == (0, 255) }
}

extension FakeQuantization {
    package var grid: ActivationGrid {
        ActivationGrid(
            scale: quantization.scale, zero: Int(quantization.zero), low: Int(quantization.low), high: Int(quantization.high))
    }
}

extension Network {
    /// The grid that a node's first input lies on: that of a `FakeQuantization` with nothing in between but nodes that hand
    /// numbers on as they are; nil where there is none.
    package func grid(readBy node: Int) -> ActivationGrid? {
        guard var source = nodes[node].inputs.first else { return nil }
        while source != Network.input {
            if let quantisation = nodes[source].layer as? FakeQuantization { return quantisation.grid }
            guard nodes[source].handsNumbersOn, let next = nodes[source].inputs.first else { return nil }
            source = next
        }
        return nil
    }
}

extension Network.Node {
    /// Whether each number that it gives is one that it reads, or 0, so that numbers on a grid stay on it.
    package var handsNumbersOn: Bool {
        switch kind {
        case _ where kind.picksNumbers: true
        case .pad: settings["mode"] != .text("constant") || settings["value"] == .number(0) || settings["value"] == .integer(0)
        case .upsample: settings["mode"] == .text("nearest")
        default: false
        }
    }
}

extension LayerKind {
    /// Whether each number that a node of the kind gives is one that it reads, or 0, whatever its settings.
    package var picksNumbers: Bool {
        [.relu, .maxPool, .globalMaxPool, .flatten, .reshape, .transpose, .slice, .crop, .dropout, .reduceMax].contains(self)
    }
}
