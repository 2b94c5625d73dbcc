import LaneKernels
import Numerics

/// What is left of numbers when they are kept as whole ones from `low` to `high`, `scale` apart, of which `zero` is 0. The
/// gradient goes straight through where none was beyond the ends.
package final class FakeQuantization: Layer {
    let quantization: lane_quantization
    /// Of whole numbers.
    package static let limit = 1 << 20

    /// `scale`; `zero`, 0; `low` and `high`.
    init(_ blueprint: Blueprint) throws {
        let whole = -Self.limit...Self.limit
        let (low, high) = (try blueprint.whole("low", whole), try blueprint.whole("high", whole))
        guard low < high else { throw blueprint.invalid("low", low, "below high, \(high)") }
        quantization = lane_quantization(
            scale: try blueprint.number("scale", 1e-30...1e30), zero: Float(try blueprint.whole("zero", whole, or: 0)),
            low: Float(low), high: Float(high))
    }

    package func outputShape(_ inputs: [Shape]) throws -> Shape { try soleInput(inputs, of: "a quantization") }

    package func backwardReads(trains: Bool) -> BackwardReads { .inputs }

    package func plan(_ site: Site) throws -> any Operation { FakeQuantizationOperation(site, quantization) }
}

final class FakeQuantizationOperation: Operation {
    private let site: Site
    private let quantization: lane_quantization

    init(_ site: Site, _ quantization: lane_quantization) {
        self.site = site
        self.quantization = quantization
    }

    func forward(training: Bool) {
        let (x, y) = (site.inputs[0].value, site.output.value)
        withUnsafePointer(to: quantization) { quantization in
            site.compute.parallelFloats(y.count) { start, count in
                site.compute.kernels.fake_quantize(quantization, x.pointer + start, y.pointer + start, count)
            }
        }
    }

    func backward() {
        guard let dy = site.output.gradient, let dx = site.inputs[0].gradient else { return }
        let x = site.inputs[0].value
        withUnsafePointer(to: quantization) { quantization in
            site.compute.parallelFloats(x.count) { start, count in
                site.compute.kernels.fake_quantize_gradient(
                    quantization, x.pointer + start, dy.pointer + start, dx.pointer + start, count)
            }
        }
    }
}
