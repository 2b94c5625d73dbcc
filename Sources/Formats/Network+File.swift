import Networks
import Numerics

/// Networks as safetensors files: every tensor under its name in PyTorch's state_dict and in PyTorch's layout, and the
/// architecture in the metadata, so that a file alone rebuilds its network.
extension Network {
    private static let architectureKey = "architecture"
    /// Bounds the layers that a file can ask for, whose text may be of any length.
    private static let longestArchitecture = 4096

    /// The network that `save` wrote, or one that PyTorch's tools saved with its architecture in the metadata: their
    /// counters, `num_batches_tracked`, are passed over.
    /// - Throws: `io`, `format` when the file is damaged or its tensors are not the architecture's or not finite,
    ///   `unsupported` when they are not float32, `outOfMemory`.
    package static func load(path: String) throws -> Network {
        let file = try SafetensorsFile(path: path)
        return try naming(path) {
            let network = try planned(by: file)
            // All are checked before the first is read, so that weights which the file does not have are never touched.
            let entries = try network.entries(in: file)
            for (parameter, entry) in zip(network.parameters, entries) {
                try file.read(entry, into: parameter.value)
                guard parameter.value.isFinite else {
                    throw DaflError(.format, "tensor \(parameter.name) has a number that is not finite")
                }
            }
            return network
        }
    }

    private static func planned(by file: SafetensorsFile) throws -> Network {
        guard let architecture = file.metadata[architectureKey] else {
            throw DaflError(.format, "has no architecture in its metadata, so it is no network that this library saved")
        }
        guard isSavable(architecture) else {
            throw DaflError(.format, "its architecture \(quoted(architecture)) is not one")
        }
        do {
            return try Network(architecture: architecture)
        } catch let error as DaflError where error.status == .invalidArgument {
            throw DaflError(.format, error.description)
        }
    }

    private static func isSavable(_ architecture: String) -> Bool {
        architecture.utf8.count <= longestArchitecture && architecture.utf8.allSatisfy { (0x20..<0x7F).contains($0) }
    }

    /// The file's tensors in the order of the parameters, when they are the same.
    private func entries(in file: SafetensorsFile) throws -> [SafetensorsFile.Entry] {
        let names = Set(parameters.map(\.name))
        let unknown = file.tensors.first { !names.contains($0.name) && !$0.name.hasSuffix(".num_batches_tracked") }
        if let tensor = unknown {
            throw DaflError(.format, "has a tensor \(quoted(tensor.name)) that \(architecture) does not have")
        }
        return try parameters.map { parameter in
            let entry = try file.floatEntry(named: parameter.name)
            guard entry.dimensions == parameter.value.shape.dimensions else {
                throw DaflError(
                    .format,
                    "tensor \(parameter.name) has shape \(printable("\(entry.dimensions)")); \(architecture) needs "
                        + "\(parameter.value.shape)")
            }
            return entry
        }
    }

    /// Writes the file whole or not at all; the same network makes the same bytes.
    /// - Throws: `io`, `invalidArgument` when a number is not finite, `unsupported` for an architecture of more than
    ///   4096 characters.
    package func save(path: String) throws {
        if let parameter = parameters.first(where: { !$0.value.isFinite }) {
            throw DaflError(.invalidArgument, "tensor \(parameter.name) has a number that is not finite")
        }
        guard Self.isSavable(architecture) else {
            throw DaflError(
                .unsupported, "an architecture of more than \(Self.longestArchitecture) characters is not saved")
        }
        // Tools of the PyTorch world look for a "format" before they trust the names and layouts.
        try SafetensorsFile.write(
            path: path, metadata: [Self.architectureKey: architecture, "format": "pt"],
            tensors: parameters.map { ($0.name, $0.value) })
    }
}
