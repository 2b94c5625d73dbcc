import Glibc
import Networks
import Numerics
import TestSupport
import Testing

@testable import Formats

/// Files that are cut, changed, or made to harm: each is one error, and none takes memory or time beyond its size.
struct ONNXDamageTests {
    /// [n, 2, 2] flattened by Reshape with a computed shape, a Gemm and a softmax.
    private static let small = ONNXBytes.model(
        ONNXBytes.graph(
            input: [nil, 1, 2, 2],
            nodes: [
                ONNXBytes.node("Shape", ["x"], ["s"]),
                ONNXBytes.node("Gather", ["s", "zero"], ["n"], [ONNXBytes.attribute("axis", 0)]),
                ONNXBytes.node("Concat", ["n", "four"], ["shape"], [ONNXBytes.attribute("axis", 0)]),
                ONNXBytes.node("Reshape", ["x", "shape"], ["flat"]),
                ONNXBytes.node(
                    "Gemm", ["flat", "fc.weight", "fc.bias"], ["l"], [ONNXBytes.attribute("transB", 1)], name: "gemm"),
                ONNXBytes.node("Softmax", ["l"], ["y"], [ONNXBytes.attribute("axis", -1)]),
            ],
            tensors: [
                ONNXBytes.integers("zero", [1], [0]), ONNXBytes.integers("four", [1], [4]),
                ONNXBytes.floats("fc.weight", [3, 4], sines(12)), ONNXBytes.floats("fc.bias", [3], [1, 2, 3]),
            ]))

    @Test func smallLoads() throws {
        let network = try Network.load(onnx: Self.small)
        #expect(network.graph.interface.head == .softmax)
        #expect(network.parameter(named: "fc.weight") != nil)
        let x = sines(4, 0.3)
        expectClose(try network.outputs([x])[0], naiveLinear(sines(12), [1, 2, 3], x))
    }

    @Test func truncation() {
        for length in 0..<Self.small.count {
            expectError(.format, .unsupported, naming: "ONNX model in memory: ") {
                _ = try Network.load(onnx: Array(Self.small.prefix(length)))
            }
        }
    }

    /// Every byte with every one of some changes: an error of the library's or a network, and never a crash.
    @Test func changedBytes() {
        for place in Self.small.indices {
            for change: UInt8 in [0x01, 0x08, 0x40, 0x80, 0xFF] {
                var bytes = Self.small
                bytes[place] ^= change
                do {
                    _ = try Network.load(onnx: bytes)
                } catch let error as DaflError {
                    #expect([.format, .unsupported, .invalidArgument, .outOfMemory].contains(error.status), "\(error)")
                    #expect(error.description.utf8.allSatisfy { (0x20..<0x7F).contains($0) }, "\(error)")
                } catch {
                    Issue.record(error)
                }
            }
        }
    }

    @Test(arguments: [
        [UInt8](), [0], [0xFF], Array(repeating: 0xFF, count: 100), Array("{\"not\": \"onnx\"}".utf8), [0x0B],
        [0x3A, 0x00],
        // A graph of 2^63 bytes, and a varint without an end.
        [0x3A, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F], [0x08] + Array(repeating: 0x80, count: 20),
    ])
    func noModel(bytes: [UInt8]) {
        expectError(.format, .unsupported) { _ = try Network.load(onnx: bytes) }
    }

    private func linear(_ weight: [UInt8], input: [Int?] = [nil, 4], nodes: [[UInt8]]? = nil, more: [[UInt8]] = [])
        -> [UInt8]
    {
        ONNXBytes.model(
            ONNXBytes.graph(
                input: input, nodes: nodes ?? [ONNXBytes.node("MatMul", ["x", "w"], ["y"], name: "mul")],
                tensors: [weight] + more))
    }

    @Test(arguments: [[1 << 60, 4], [-1, 4], [4, 1 << 31, 1 << 31], [Int.max, Int.max], [3_000_000_000, 1]])
    func impossibleDimensions(dimensions: [Int]) {
        let bytes = linear(ONNXBytes.floats("w", dimensions, [1, 2, 3]))
        expectError(.format) { _ = try Network.load(onnx: bytes) }
    }

    /// 10 GB claimed in a file of a few hundred bytes, in each way of storing numbers.
    @Test(arguments: [4, 5, 7, 9, 10, 11])
    func absentNumbers(field: Int) {
        for type in [1, 2, 3, 6, 7, 9, 10, 11, 13, 16] {
            let weight = ONNXBytes.tensor("w", [50_000, 50_000], type: type) { $0.slice(field, [1, 2, 3, 4, 5, 6, 7, 8]) }
            expectError(.format, .unsupported) { _ = try Network.load(onnx: linear(weight)) }
        }
    }

    /// Small files that ask for large results.
    @Test(arguments: ["ConstantOfShape", "Expand", "Tile", "Range"])
    func largeResults(operation: String) {
        let size = ONNXBytes.integers("size", [2], [100_000, 100_000])
        let one = ONNXBytes.floats("one", [1, 1], [1])
        let node =
            switch operation {
            case "ConstantOfShape": ONNXBytes.node(operation, ["size"], ["w"])
            case "Range": ONNXBytes.node(operation, ["a", "b", "c"], ["w"])
            default: ONNXBytes.node(operation, ["one", "size"], ["w"])
            }
        let bounds = [("a", 0), ("b", 900_000_000), ("c", 1)].map { ONNXBytes.integers($0.0, [], [$0.1]) }
        let bytes = linear(size, nodes: [node, ONNXBytes.node("MatMul", ["x", "w"], ["y"])], more: [one] + bounds)
        expectError(.unsupported) { _ = try Network.load(onnx: bytes) }
    }

    @Test(arguments: [[Int.max, 4], [1 << 40, 1 << 40], [1 << 21, 1, 1]])
    func largeInputs(input: [Int]) {
        let bytes = linear(
            ONNXBytes.floats("w", [2, 1], [1, 2]), input: [nil] + input.map { $0 },
            nodes: [ONNXBytes.node("Relu", ["x"], ["y"])])
        expectError(.format, .unsupported) { _ = try Network.load(onnx: bytes) }
    }

    @Test func cycles() {
        let nodes = [
            ONNXBytes.node("Add", ["x", "b"], ["a"]), ONNXBytes.node("Relu", ["a"], ["b"]),
            ONNXBytes.node("Relu", ["b"], ["y"]),
        ]
        expectError(.format) {
            _ = try Network.load(onnx: ONNXBytes.model(ONNXBytes.graph(input: [nil, 4], nodes: nodes)))
        }
    }

    @Test func unsortedNodes() throws {
        let nodes = [ONNXBytes.node("MatMul", ["a", "w"], ["y"]), ONNXBytes.node("Relu", ["x"], ["a"])]
        let graph = ONNXBytes.graph(input: [nil, 2], nodes: nodes, tensors: [ONNXBytes.floats("w", [2, 1], [3, 5])])
        let network = try Network.load(onnx: ONNXBytes.model(graph))
        #expect(try network.outputs([[2, -1]]) == [[6]])
    }

    @Test func deepChains() throws {
        let depth = 20_000
        let nodes = (0..<depth).map { ONNXBytes.node("Identity", ["t\($0)"], ["t\($0 + 1)"]) }
        let last = ONNXBytes.node("Relu", ["t\(depth)"], ["y"])
        let bytes = ONNXBytes.model(ONNXBytes.graph(input: [nil, 2], nodes: [last] + nodes.reversed(), inputName: "t0"))
        #expect(try Network.load(onnx: bytes).outputs([[2, -1]]) == [[2, 0]])
    }

    @Test func doubledNames() {
        let relu = ONNXBytes.node("Relu", ["x"], ["y"])
        for nodes in [
            [relu, relu], [ONNXBytes.node("Relu", ["x"], ["x"]), relu], [ONNXBytes.node("Split", ["x"], ["y", "y"])],
        ] {
            expectError(.format) {
                _ = try Network.load(onnx: ONNXBytes.model(ONNXBytes.graph(input: [nil, 4], nodes: nodes)))
            }
        }
        let twice = [ONNXBytes.floats("w", [1], [1]), ONNXBytes.floats("w", [1], [2])]
        expectError(.format) {
            _ = try Network.load(onnx: ONNXBytes.model(ONNXBytes.graph(input: [nil, 4], nodes: [relu], tensors: twice)))
        }
    }

    @Test func doubledAttributes() {
        let axis = ONNXBytes.attribute("axis", 1)
        let nodes = [ONNXBytes.node("Softmax", ["x"], ["a"], [axis, axis]), ONNXBytes.node("Relu", ["a"], ["y"])]
        expectError(.format) {
            _ = try Network.load(onnx: ONNXBytes.model(ONNXBytes.graph(input: [nil, 4], nodes: nodes)))
        }
    }

    /// A product of one number is not that number, and what a second input of Relu means nobody knows.
    @Test(arguments: [("Mul", 1), ("Mul", 3), ("Relu", 2), ("Sub", 1), ("Neg", 2), ("Flatten", 3), ("Concat", 0)])
    func numbersOfInputs(operation: String, count: Int) {
        let nodes = [ONNXBytes.node("Relu", ["x"], ["a"]), ONNXBytes.node(operation, Array(repeating: "a", count: count), ["y"])]
        expectError(.format, .unsupported) {
            _ = try Network.load(onnx: ONNXBytes.model(ONNXBytes.graph(input: [nil, 4], nodes: nodes)))
        }
    }

    /// Thousands of places that read one tensor, in time that grows with their number alone.
    @Test func manyReaders() throws {
        let count = 20_000
        let nodes = [
            ONNXBytes.node("Relu", ["x"], ["a"]),
            ONNXBytes.node("Concat", Array(repeating: "a", count: count), ["y"], [ONNXBytes.attribute("axis", 1)]),
        ]
        let time = try ContinuousClock().measure {
            let network = try Network.load(onnx: ONNXBytes.model(ONNXBytes.graph(input: [nil, 2], nodes: nodes)))
            #expect(network.outputShape.count == 2 * count)
        }
        #expect(time < .seconds(10))
    }

    @Test func absentNames() {
        for nodes in [[ONNXBytes.node("Relu", ["z"], ["y"])], [ONNXBytes.node("Relu", ["x"], ["z"])], []] {
            expectError(.format) {
                _ = try Network.load(onnx: ONNXBytes.model(ONNXBytes.graph(input: [nil, 4], nodes: nodes)))
            }
        }
    }

    /// Nodes of one name get names of their own, in time that grows with their number alone.
    @Test func oneNameForAll() throws {
        let count = 3000
        let nodes = (0..<count).map { i in
            ONNXBytes.node("Relu", [i == 0 ? "x" : "t\(i)"], [i == count - 1 ? "y" : "t\(i + 1)"], name: "input")
        }
        let network = try Network.load(onnx: ONNXBytes.model(ONNXBytes.graph(input: [nil, 2], nodes: nodes)))
        #expect(Set(network.graph.nodes.map(\.name)).count == count)
    }

    // MARK: Other files

    private static func external(_ location: String, offset: String? = nil, length: String? = nil) -> [UInt8] {
        ONNXBytes.tensor("w", [2, 1], type: 1) { tensor in
            for (key, value) in [("location", location), ("offset", offset), ("length", length)] {
                guard let value else { continue }
                var entry = ONNXBytes()
                entry.text(1, key)
                entry.text(2, value)
                tensor.slice(13, entry.bytes)
            }
            tensor.integer(14, 1)
        }
    }

    private func model(_ tensor: [UInt8]) -> [UInt8] { linear(tensor, input: [nil, 2]) }

    private static let numbers = [Float(3), 5].flatMap { littleEndian($0.bitPattern) }

    @Test func externalNumbers() throws {
        let folder = TemporaryFolder()
        folder.write([9, 9, 9, 9] + Self.numbers, to: "data.bin")
        let path = folder.write(model(Self.external("data.bin", offset: "4", length: "8")), to: "model.onnx")
        #expect(try Network.load(onnx: path).outputs([[2, -1]]) == [[1]])
        expectError(.unsupported) { _ = try Network.load(onnx: folder.bytes(of: "model.onnx")) }
    }

    @Test(arguments: [
        "/etc/passwd", "../data.bin", "a/../../data.bin", "", "..", "link.bin", "none.bin", "a\0b", "outside/hosts", ".",
    ])
    func strangeLocations(location: String) {
        let folder = TemporaryFolder()
        folder.write(Self.numbers, to: "data.bin")
        symlink("/etc/hostname", folder["link.bin"])
        symlink("/etc", folder["outside"])
        let path = folder.write(model(Self.external(location)), to: "model.onnx")
        expectError(.format, .io, naming: path) { _ = try Network.load(onnx: path) }
    }

    @Test(arguments: [
        ("0", "4"), ("0", "9"), ("1", "8"), ("9223372036854775807", "8"), ("-1", "8"), ("x", "8"), ("0", "-8"),
        ("99999999999999999999", "8"),
    ])
    func strangePlaces(offset: String, length: String) {
        let folder = TemporaryFolder()
        folder.write(Self.numbers, to: "data.bin")
        let path = folder.write(model(Self.external("data.bin", offset: offset, length: length)), to: "model.onnx")
        expectError(.format, naming: path) { _ = try Network.load(onnx: path) }
    }

    @Test func noFile() {
        let folder = TemporaryFolder()
        for path in [folder["none.onnx"], folder.path, ""] {
            expectError(.io, naming: path) { _ = try Network.load(onnx: path) }
        }
    }
}
