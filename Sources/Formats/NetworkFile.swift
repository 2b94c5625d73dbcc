import Networks
import Numerics

/// What can be said of a file to load a network from beside its path, or beside its bytes in memory.
package struct NetworkFile {
    /// For messages too.
    package let path: String
    private let memory: MemoryBytes?
    /// Of a safetensors file that does not name its own.
    package var architecture: String?
    /// Of an ONNX file that leaves sizes free: [channels, height, width] or [numbers].
    package var inputShape: [Int]?
    /// Of an ONNX file: the name of the tensor that is the feature vector.
    package var feature: String?
    /// Of an ONNX file with several: the name of the one that is the classifier's.
    package var output: String?

    package init(path: String) { (self.path, memory) = (path, nil) }

    /// - Parameter memory: of a whole file, for as long as this is used. What others it names cannot be read.
    package init(_ memory: MemoryBytes) { (path, self.memory) = ("the network in memory", memory) }

    package enum Content {
        case network(Network)
        /// A description in JSON, without weights.
        case graph(Graph)
    }

    /// What the file holds; of what kind it is, its first bytes tell.
    /// - Throws: as `Network.load(path:architecture:)`, `Network.load(onnx:inputShape:feature:output:)` and `Graph.init(json:)`.
    package func content() throws -> Content {
        let file: any ByteSource = try memory ?? naming(path) { try UnsafeFileReader(path: path) }
        switch try naming(path, { try kind(file) }) {
        case .safetensors:
            try refuse(inputShape == nil, "input_shape")
            try refuse(feature == nil, "feature")
            try refuse(output == nil, "output")
            let named = try architecture.map { try Network(description: $0) }
            return .network(try Network.load(SafetensorsFile(path: path, file), as: named))
        case .onnx:
            try refuse(architecture == nil, "architecture")
            return .network(
                try Network.load(onnx: file, path: path, inputShape: inputShape, feature: feature, output: output))
        case .graph:
            return .graph(try naming(path) { try file.withBytes(at: 0, count: file.size) { try Graph(json: $0) } })
        }
    }

    /// The network of a file that has weights.
    /// - Throws: as `content`, and `format` for a description.
    package func load() throws -> Network {
        guard case .network(let network) = try content() else {
            throw DaflError(
                .format, "\(path): is the description of a network without its weights, which a network can be created from, or "
                    + "a student")
        }
        return network
    }

    private enum Kind { case safetensors, graph, onnx }

    private func kind(_ file: any ByteSource) throws -> Kind {
        try file.withBytes(at: 0, count: min(file.size, 9)) { bytes in
            // The header of a safetensors file, a JSON object, follows its length in eight bytes.
            if bytes.count == 9, bytes[8] == UInt8(ascii: "{") { return .safetensors }
            if let first = bytes.first(where: { !" \n\r\t".utf8.contains($0) }), first == UInt8(ascii: "{") { return .graph }
            return path.hasSuffix(".safetensors") ? .safetensors : .onnx
        }
    }

    private func refuse(_ isAbsent: Bool, _ name: String) throws {
        guard isAbsent else { throw DaflError.invalid(name, "given", "left out for the file \(path)") }
    }
}
