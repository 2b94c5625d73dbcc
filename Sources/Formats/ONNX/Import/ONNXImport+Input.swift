import Networks
import Numerics

extension ONNXImport {
    /// The network's input as we store it, channels first, in the view that the file has of it.
    ///
    /// What a file takes as [height, width, channels] shows in what it does to it first, and is taken as
    /// [channels, height, width].
    func input(_ interface: ONNXInterface, shape given: [Int]?) throws -> ONNXActivation {
        let title = "its input \(quoted(interface.name))"
        guard NumberType(onnx: interface.type) != nil else {
            throw DaflError(
                .unsupported, "\(title) is of ONNX's data type \(interface.type), which is no number that is read")
        }
        if let given {
            guard (1...3).contains(given.count), given.allSatisfy({ (1...(1 << 20)).contains($0) }) else {
                throw DaflError.invalid("the input's shape", "\(given)", "[channels, height, width] or [numbers]")
            }
        }
        guard let dimensions = interface.dimensions ?? given.map({ [nil] + $0.map { _ in nil } }), dimensions.count >= 1
        else {
            throw DaflError(
                .unsupported,
                "\(title) has no batch, or does not tell its shape; name the shape of an input")
        }
        let sample = Array(dimensions.dropFirst())
        guard sample.count <= 4 else {
            throw DaflError(.unsupported, "\(title) has \(sample.count) dimensions beside the batch; images have 3")
        }
        let hints = ONNXInputHints(self, interface.name, sample)
        // ONNX's axes in the order of storage.
        let axes = hints.isChannelsLast ? [2, 0, 1] : Array(sample.indices)
        graph.interface.isChannelsLast = hints.isChannelsLast

        var stored = axes.map { sample[$0] }
        if let given {
            // A picture without channels may be named with its one channel, a vector as an image of a pixel.
            var numbers = given
            while numbers.count > stored.count, let one = numbers[0] == 1 ? 0 : numbers.lastIndex(of: 1) {
                numbers.remove(at: one)
            }
            guard numbers.count == stored.count, zip(stored, numbers).allSatisfy({ $0 == nil || $0 == $1 }) else {
                let wanted = stored.map { $0.map(String.init) ?? "any" }.joined(separator: ", ")
                throw DaflError.invalid("the input's shape", "\(given)", "[\(wanted)]")
            }
            stored = numbers
        }
        let shape = try stored.map { size in
            guard let size else {
                let known = axes.map { sample[$0].map(String.init) ?? "?" }.joined(separator: ", ")
                throw DaflError(
                    .invalidArgument,
                    "\(title) is [\(known)] and leaves the rest to you: name its shape, such as [3, 224, 224]")
            }
            guard (1...(1 << 20)).contains(size) else {
                throw DaflError(.format, "\(title) has a dimension of \(size); it may be from 1 to \(1 << 20)")
            }
            return size
        }
        guard shape.reduce(1.0, { $0 * Double($1) }) < Double(1 << 40) else {
            throw DaflError(.format, "\(title) has the shape \(shape)")
        }

        var activation = ONNXActivation(Graph.input, shape)
        if axes.count == 3, hints.isChannelsLast { activation = activation.permuted([1, 2, 0], [0, 1, 2]) }
        if shape.isEmpty { activation = ONNXActivation(Graph.input, [1], dimensions: []) }
        if shape.count == 2 {
            // A signal [channels, length] is an image one pixel wide; a picture [height, width] has one channel.
            activation = ONNXActivation(Graph.input, hints.isSignal ? shape + [1] : [1] + shape, dimensions: shape)
        }
        if let type = NumberType(onnx: interface.type), NumberType.wholeNumbers.contains(type), type.bytes <= 2 {
            activation.quantisation = ONNXQuantisation(scale: 1, zero: 0)
        }
        return activation
    }
}

/// What the first operators tell about an input's axes.
struct ONNXInputHints {
    let isChannelsLast: Bool
    /// Of two dimensions, whether they are channels and a length.
    let isSignal: Bool

    private static let passing: Set = [
        "Cast", "Sub", "Mul", "Div", "Add", "QuantizeLinear", "DequantizeLinear", "Pad", "Identity", "Clip",
    ]

    /// - Parameter sample: the input's dimensions behind the batch.
    init(_ graph: ONNXImport, _ input: String, _ sample: [Int?]) {
        var (open, seen): ([String], Set<String>) = ([input], [input])
        var first: ONNXNode?
        search: while let name = open.popLast() {
            for place in graph.readers[name] ?? [] {
                let node = graph.model.nodes[place]
                guard Self.passing.contains(node.operation) else {
                    if first == nil || node.operation == "Transpose" || node.operation == "Conv" { first = node }
                    continue
                }
                for output in node.outputs where seen.insert(output).inserted { open.append(output) }
            }
        }
        isSignal = sample.count == 2 && first?.operation == "Conv"
        guard sample.count == 3 else {
            isChannelsLast = false
            return
        }
        switch first?.operation {
        case "Transpose":
            guard case .integers(let order)? = first?.attributes["perm"] else { fallthrough }
            isChannelsLast = order == [0, 3, 1, 2]
        case "Conv", "BatchNormalization", "MaxPool", "AveragePool": isChannelsLast = false
        default:
            // As sizes go: few channels, many pixels. A channel alone may be at either end.
            let few: Set = [1, 3, 4]
            isChannelsLast = sample[2].map(few.contains) == true && sample[..<2].allSatisfy { $0 ?? .max > 4 }
        }
    }
}
