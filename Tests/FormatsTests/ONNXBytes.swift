/// Bytes of ONNX files, for tests: messages of onnx.proto in protobuf's wire format.
struct ONNXBytes {
    private(set) var bytes: [UInt8] = []

    init() {}

    mutating func varint(_ number: UInt64) {
        var rest = number
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    mutating func integer(_ field: Int, _ value: Int) {
        varint(UInt64(field << 3))
        varint(UInt64(bitPattern: Int64(value)))
    }

    mutating func float(_ field: Int, _ value: Float) {
        varint(UInt64(field << 3 | 5))
        bytes += littleEndian(value.bitPattern)
    }

    mutating func slice(_ field: Int, _ content: [UInt8]) {
        varint(UInt64(field << 3 | 2))
        varint(UInt64(content.count))
        bytes += content
    }

    mutating func text(_ field: Int, _ value: String) { slice(field, Array(value.utf8)) }

    private static func built(_ body: (inout ONNXBytes) -> Void) -> [UInt8] {
        var message = ONNXBytes()
        body(&message)
        return message.bytes
    }

    // MARK: Messages

    static func model(opset: Int = 13, domain: String = "", _ graph: [UInt8]) -> [UInt8] {
        built { model in
            model.integer(1, 8)
            model.slice(
                8,
                built { opsets in
                    if !domain.isEmpty { opsets.text(1, domain) }
                    opsets.integer(2, opset)
                })
            model.slice(7, graph)
        }
    }

    /// - Parameter input: [batch, ...]; nil for a dimension that is free.
    static func graph(
        input: [Int?], nodes: [[UInt8]], tensors: [[UInt8]] = [], inputName: String = "x", outputs: [String] = ["y"],
        type: Int = 1, outputTypes: [String: Int] = [:], moreInputs: [[UInt8]] = []
    ) -> [UInt8] {
        built { graph in
            for node in nodes { graph.slice(1, node) }
            for tensor in tensors { graph.slice(5, tensor) }
            graph.slice(11, interface(inputName, input, type: type))
            for more in moreInputs { graph.slice(11, more) }
            for output in outputs { graph.slice(12, interface(output, [nil, 3], type: outputTypes[output] ?? 1)) }
        }
    }

    static func interface(_ name: String, _ dimensions: [Int?], type: Int = 1) -> [UInt8] {
        let shape = built { shape in
            for dimension in dimensions {
                shape.slice(1, built { if let dimension { $0.integer(1, dimension) } else { $0.text(2, "n") } })
            }
        }
        let tensor = built { tensor in
            tensor.integer(1, type)
            tensor.slice(2, shape)
        }
        return built { interface in
            interface.text(1, name)
            interface.slice(2, built { $0.slice(1, tensor) })
        }
    }

    static func node(
        _ operation: String, _ inputs: [String], _ outputs: [String], _ attributes: [[UInt8]] = [], name: String = "",
        domain: String = ""
    ) -> [UInt8] {
        built { node in
            for input in inputs { node.text(1, input) }
            for output in outputs { node.text(2, output) }
            if !name.isEmpty { node.text(3, name) }
            node.text(4, operation)
            for attribute in attributes { node.slice(5, attribute) }
            if !domain.isEmpty { node.text(7, domain) }
        }
    }

    static func attribute(_ name: String, _ value: Int) -> [UInt8] {
        built { attribute in
            attribute.text(1, name)
            attribute.integer(3, value)
            attribute.integer(20, 2)
        }
    }

    static func attribute(_ name: String, _ value: Float) -> [UInt8] {
        built { attribute in
            attribute.text(1, name)
            attribute.float(2, value)
            attribute.integer(20, 1)
        }
    }

    static func attribute(_ name: String, _ value: String) -> [UInt8] {
        built { attribute in
            attribute.text(1, name)
            attribute.text(4, value)
            attribute.integer(20, 3)
        }
    }

    static func attribute(_ name: String, _ values: [Int]) -> [UInt8] {
        built { attribute in
            attribute.text(1, name)
            for value in values { attribute.integer(8, value) }
            attribute.integer(20, 7)
        }
    }

    static func attribute(_ name: String, tensor: [UInt8]) -> [UInt8] {
        built { attribute in
            attribute.text(1, name)
            attribute.slice(5, tensor)
            attribute.integer(20, 4)
        }
    }

    /// A tensor with any fields for its numbers.
    static func tensor(_ name: String, _ dimensions: [Int], type: Int, _ numbers: (inout ONNXBytes) -> Void) -> [UInt8] {
        built { tensor in
            for dimension in dimensions { tensor.integer(1, dimension) }
            tensor.integer(2, type)
            tensor.text(8, name)
            numbers(&tensor)
        }
    }

    static func floats(_ name: String, _ dimensions: [Int], _ numbers: [Float]) -> [UInt8] {
        tensor(name, dimensions, type: 1) { $0.slice(9, numbers.flatMap { littleEndian($0.bitPattern) }) }
    }

    static func integers(_ name: String, _ dimensions: [Int], _ numbers: [Int]) -> [UInt8] {
        tensor(name, dimensions, type: 7) { $0.slice(9, numbers.flatMap { littleEndian(Int64($0)) }) }
    }
}
