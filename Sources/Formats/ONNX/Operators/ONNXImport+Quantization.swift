import Networks
import Numerics

extension ONNXImport {
    /// What QuantizeLinear's numbers are, by its zero point's type or its attribute.
    func quantisedRange(_ operation: ONNXOperator) throws -> (NumberType, ClosedRange<Int>) {
        let type =
            try operation.optionalConstant(2)?.type ?? NumberType(onnx: operation.integer("output_dtype", or: 2)) ?? .u8
        switch type {
        case .u8: return (type, 0...255)
        case .i8: return (type, -128...127)
        case .u16: return (type, 0...65535)
        case .i16: return (type, -32768...32767)
        default: throw operation.unsupported("quantises to \(type.rawValue); 8 and 16 bits are read")
        }
    }

    private func quantisation(_ operation: ONNXOperator) throws -> ONNXQuantisation {
        let (scale, zero) = (try operation.constant(1), try operation.optionalConstant(2))
        guard scale.count == 1, zero.map({ $0.count == 1 }) ?? true else {
            throw operation.unsupported("quantises activations with \(scale.count) scales; one is read")
        }
        let number = try scale.float()
        guard number > 0, number.isFinite, (1 / number).isFinite else {
            throw operation.malformed("has the scale \(number)")
        }
        guard let zero, zero.isWhole else { return ONNXQuantisation(scale: number, zero: 0) }
        return ONNXQuantisation(scale: number, zero: try zero.integers()[0])
    }

    /// Numbers rounded as the whole numbers would be, and still standing for what they were.
    func quantize(_ operation: ONNXOperator) throws -> ONNXValue {
        let input = try operation.activation(0)
        let (quantisation, (_, range)) = (try quantisation(operation), try quantisedRange(operation))
        var attributes: [String: Attribute] = [
            "scale": .number(Double(quantisation.scale)), "low": .integer(range.lowerBound),
            "high": .integer(range.upperBound),
        ]
        if quantisation.zero != 0 { attributes["zero"] = .integer(quantisation.zero) }
        if isRounded(input.node, attributes) {
            var same = input
            same.quantisation = quantisation
            return .activation(same)
        }
        var result = input.computed(by: try add("fake_quantize", operation, [input.node], attributes))
        result.quantisation = quantisation
        return .activation(result)
    }

    /// Whether a node gives numbers that are rounded so already, as in files with QuantizeLinear behind every operator.
    private func isRounded(_ node: String, _ attributes: [String: Attribute]) -> Bool {
        var name = node
        for _ in 0..<Self.mostBetween {
            guard let node = places[name].map({ graph.nodes[$0] }) else { return false }
            if node.kind == .fakeQuantize { return node.attributes == attributes }
            guard node.kind.picksNumbers, node.inputs.count == 1 else { return false }
            name = node.inputs[0]
        }
        return false
    }

    /// Nodes that are looked through for an earlier rounding.
    private static let mostBetween = 8

    func dequantize(_ operation: ONNXOperator) throws -> ONNXValue {
        var input = try operation.activation(0)
        guard let old = input.quantisation else { throw operation.malformed("has an input that is not quantised") }
        let new = try quantisation(operation)
        input.quantisation = nil
        guard old != new else { return .activation(input) }
        // The number is x / old.scale + old.zero for what the node gives, and stands for (number - new.zero) new.scale now.
        let mean = Float(Double(new.zero) - Double(old.zero)) * old.scale
        let deviation = old.scale / new.scale
        if mean == 0 && deviation == 1 { return .activation(input) }
        guard input.node == Graph.input else {
            throw operation.unsupported("reads numbers quantised with another scale than its own; \(ONNXImport.wayOut)")
        }
        // The network takes the whole numbers themselves, as units of its own.
        let node = try add("units", operation, [input.node], ["count": 1, "direction": "standardising"])
        fill("input.mean") { $0[0] = mean }
        fill("input.deviation") { $0[0] = deviation }
        return .activation(input.computed(by: node))
    }
}
