import Networks
import Numerics

/// Networks of eight bits as QuantizeLinear and DequantizeLinear around each operator, from which runtimes make operators on
/// whole numbers; and the rounding of other networks.
extension ONNXExport {
    /// What DequantizeLinear makes of a layer's weights as whole numbers of 8 bits, and of its bias as such of 32; nil for a
    /// layer whose weights are floats.
    /// - Parameter isTransposed: whether the weights' outputs are to be their last dimension, in the place of the first.
    mutating func eightBitWeights(_ layer: ONNXLayer, isTransposed: Bool) throws -> (weight: String, bias: String?)? {
        guard let (input, grid) = eightBitLayers?[layer.name] else { return nil }
        let weight = try layer.parameter("weight"), bias = layer.optionalParameter("bias")
        let shape = weight.value.shape.dimensions, outputs = shape[0], row = weight.value.count / outputs
        let scales = (0..<outputs).map { output in
            grid.scales[output] > 0 ? grid.scales[output] : grid.weightlessScale(bias?.value[output] ?? 0, input)
        }
        let places = isTransposed
            ? (0..<weight.value.count).map { $0 % outputs * row + $0 / outputs } : Array(0..<weight.value.count)
        let whole = quantised(
            places.map { grid[$0] }, .i8, isTransposed ? shape.reversed() : shape, named: "\(weight.name)_quantized")
        let axis: Attribute = .integer(isTransposed ? shape.count - 1 : 0)
        let scale = floats(scales, named: "\(weight.name)_scale")
        let zero = quantised(scales.map { _ in 0 }, .i8, [outputs], named: "\(weight.name)_zero_point")
        let dequantised = part(layer, "DequantizeLinear", [whole, scale, zero], ["axis": axis], to: shape).tensor
        guard let bias else { return (dequantised, nil) }
        let steps = scales.map { $0 * input.scale }
        let largest = Int(WeightGrid.largestBias) - 1
        let numbers = (0..<outputs).map { min(max(Int((bias.value[$0] / steps[$0]).rounded()), -largest), largest) }
        let added = [
            quantised(numbers, .i32, [outputs], named: "\(bias.name)_quantized"), floats(steps, named: "\(bias.name)_scale"),
        ]
        return (dequantised, part(layer, "DequantizeLinear", added, ["axis": 0], to: [outputs]).tensor)
    }

    /// QuantizeLinear and DequantizeLinear in a network of eight bits. Elsewhere division, rounding, clipping and
    /// multiplication, which are what it computes: the two would say it shorter, but ONNX Runtime takes them for leave to
    /// quantise the weights between them too, and outputs would differ.
    mutating func fakeQuantize(_ layer: ONNXLayer) throws -> Value {
        let input = try input(layer)
        let (zero, low, high) = (try layer.whole("zero"), try layer.whole("low"), try layer.whole("high"))
        let grid = ActivationGrid(scale: try layer.number("scale"), zero: zero, low: low, high: high)
        if eightBitLayers != nil, grid.isOfBytes { return rounded(input, grid, named: layer.name) }
        let scale = scalar(grid.scale, named: layer.name("scale"))
        let steps = part(layer, "Div", [input.tensor, scale], to: input.shape)
        let whole = part(layer, "Round", [steps.tensor], to: input.shape)
        let bounds = [
            scalar(Float(low - zero), named: layer.name("low")), scalar(Float(high - zero), named: layer.name("high")),
        ]
        let clipped = part(layer, "Clip", [whole.tensor] + bounds, to: input.shape)
        return last(layer, "Mul", [clipped.tensor, scale])
    }

    /// Numbers through whole ones of eight bits and back.
    private mutating func rounded(_ value: Value, _ grid: ActivationGrid, named name: String) -> Value {
        let scale = scalar(grid.scale, named: "\(name)/scale")
        let zero = quantised([grid.zero], grid.low < 0 ? .i8 : .u8, [], named: "\(name)/zero_point")
        let whole = add("QuantizeLinear", [value.tensor, scale, zero], named: "\(name)/QuantizeLinear", to: value.shape)
        return add("DequantizeLinear", [whole.tensor, scale, zero], named: name, to: value.shape)
    }

    /// What hands numbers on, between such pairs too: runtimes look for these around each operator. Numbers on a grid stay what
    /// they are.
    mutating func roundedAgain(_ value: Value, on grid: ActivationGrid?, named name: String) -> Value {
        guard eightBitLayers != nil, let grid, grid.isOfBytes else { return value }
        return rounded(value, grid, named: "\(name)/quantised")
    }
}
