import Numerics

/// The order in which a file's nodes are computed, of those that its output depends on.
struct ONNXPlan {
    /// Indices of `ONNXModel.nodes`, each after those that it reads.
    private(set) var order: [Int] = []
    /// By tensors' names, those of `order` that read them.
    private(set) var readers: [String: [Int]] = [:]
    /// By tensors' names, the node that computes them.
    private(set) var producers: [String: Int] = [:]
    private let given: Set<String>

    /// - Throws: `format` for cycles, names of nothing, and two tensors of one name.
    init(_ model: ONNXModel, output: String) throws {
        given = Set(model.inputs.map(\.name))
        guard given.count == model.inputs.count else { throw DaflError(.format, "has two inputs of one name") }
        for (place, node) in model.nodes.enumerated() {
            for name in node.outputs where !name.isEmpty {
                guard producers.updateValue(place, forKey: name) == nil, !given.contains(name),
                    model.initializers[name] == nil
                else {
                    throw DaflError(.format, "has two tensors \(quoted(name))")
                }
            }
        }
        try sort(model, output)
        for place in order {
            for name in model.nodes[place].inputs where !name.isEmpty { readers[name, default: []].append(place) }
        }
    }

    private enum Mark { case none, open, done }

    /// Depth first, without recursion: a file may be deeper than a thread's stack.
    private mutating func sort(_ model: ONNXModel, _ output: String) throws {
        var marks = [Mark](repeating: .none, count: model.nodes.count)
        var open: [(node: Int, input: Int)] = []
        func visit(_ name: String) throws {
            guard !name.isEmpty, model.initializers[name] == nil, !given.contains(name) else { return }
            guard let node = producers[name] else {
                throw DaflError(.format, "has no tensor \(quoted(name)), which a node or its output needs")
            }
            switch marks[node] {
            case .done: break
            case .open: throw DaflError(.format, "has a cycle: \(quoted(name)) depends on itself")
            case .none:
                marks[node] = .open
                open.append((node, 0))
            }
        }
        try visit(output)
        while let (node, input) = open.last {
            if input < model.nodes[node].inputs.count {
                open[open.count - 1].input += 1
                try visit(model.nodes[node].inputs[input])
            } else {
                marks[node] = .done
                order.append(node)
                open.removeLast()
            }
        }
    }

    /// The one input that the output depends on.
    func input(_ model: ONNXModel) throws -> ONNXInterface {
        let read = model.inputs.filter { readers[$0.name] != nil }
        guard let input = read.first, read.count == 1 else {
            let names = read.prefix(5).map { quoted($0.name) }.joined(separator: ", ")
            throw DaflError(
                .unsupported,
                read.isEmpty
                    ? "is no network: its output depends on no input" : "has \(read.count) inputs, \(names); one is read")
        }
        return input
    }
}
