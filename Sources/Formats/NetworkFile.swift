import Networks
import Numerics

/// What can be said of a file to load a network from beside its path.
package struct NetworkFile {
    package let path: String
    /// Of a safetensors file that does not name its own.
    package var architecture: String?
    /// Of an ONNX file that leaves sizes free: [channels, height, width] or [numbers].
    package var inputShape: [Int]?
    /// Of an ONNX file: the name of the tensor that is the feature vector.
    package var feature: String?
    /// Of an ONNX file with several: the name of the one that is the classifier's.
    package var output: String?

    package init(path: String) { self.path = path }

    private enum Kind { case safetensors, graph, onnx }

    /// What kind of file it is, its first bytes tell.
    /// - Throws: as `Network.load(path:architecture:)`, `Network.load(onnx:inputShape:feature:output:)`.
    package func load() throws -> Network {
        switch try kind() {
        case .safetensors:
            try refuse(inputShape == nil, "input_shape")
            try refuse(feature == nil, "feature")
            try refuse(output == nil, "output")
            return try Network.load(path: path, architecture: architecture)
        case .onnx:
            try refuse(architecture == nil, "architecture")
            return try Network.load(onnx: path, inputShape: inputShape, feature: feature, output: output)
        case .graph:
            throw DaflError(
                .format, "\(path): is the description of a network without its weights, which a network can be created from, or "
                    + "a student")
        }
    }

    /// A description in JSON; nil for a file that is something else.
    package func graph() throws -> Graph? {
        guard try kind() == .graph else { return nil }
        return try naming(path) {
            let reader = try UnsafeFileReader(path: path)
            return try reader.withBytes(at: 0, count: reader.size) { try Graph(json: $0) }
        }
    }

    private func kind() throws -> Kind {
        try naming(path) {
            let reader = try UnsafeFileReader(path: path)
            return try reader.withBytes(at: 0, count: min(reader.size, 9)) { bytes in
                // The header of a safetensors file, a JSON object, follows its length in eight bytes.
                if bytes.count == 9, bytes[8] == UInt8(ascii: "{") { return .safetensors }
                if let first = bytes.first(where: { !" \n\r\t".utf8.contains($0) }), first == UInt8(ascii: "{") { return .graph }
                return path.hasSuffix(".safetensors") ? .safetensors : .onnx
            }
        }
    }

    private func refuse(_ isAbsent: Bool, _ name: String) throws {
        guard isAbsent else { throw DaflError.invalid(name, "given", "left out for the file \(path)") }
    }
}
