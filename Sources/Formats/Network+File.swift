import Networks
import Numerics

/// Networks as safetensors files: every tensor under its name in PyTorch's state_dict and in PyTorch's layout, and the
/// architecture in the metadata, so that a file alone rebuilds its network.
extension Network {
    private static let architectureKey = "architecture"
    /// Bounds the layers that a file can ask for, whose text may be of any length.
    private static let longestArchitecture = 4096

    /// The network that `save` wrote, or one that PyTorch's tools saved: their counters, `num_batches_tracked`, are passed over.
    /// - Parameter architecture: for a file that does not name it in its metadata; one that does must name the same.
    /// - Throws: `io`, `format` when the file is damaged, or its tensors are not the architecture's or have numbers that these
    ///   do not allow, `unsupported` when they are not floating-point numbers of 16, 32 or 64 bits, `outOfMemory`,
    ///   `invalidArgument` for an unknown or impossible `architecture`.
    package static func load(path: String, architecture: String? = nil) throws -> Network {
        let named = try architecture.map { try Network(architecture: $0) }
        let file = try SafetensorsFile(path: path)
        return try naming(path) {
            let network = try named.map { try $0.requiringNoOther(in: file) } ?? planned(by: file)
            // All are checked before the first is read, so that weights which the file does not have are never touched.
            let entries = try network.entries(in: file)
            for (parameter, entry) in zip(network.parameters, entries) {
                try file.read(entry, into: parameter.value)
                try parameter.requireAllowed(or: .format)
            }
            return network
        }
    }

    private static func planned(by file: SafetensorsFile) throws -> Network {
        guard let architecture = file.metadata[architectureKey] else {
            throw DaflError(.format, "has no architecture in its metadata, and none was named to load it as")
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

    /// This network, unless a file says that its numbers are another's.
    private func requiringNoOther(in file: SafetensorsFile) throws -> Network {
        guard let other = file.metadata[Self.architectureKey], other != architecture else { return self }
        throw DaflError(.format, "is a network \(quoted(other)), not \(quoted(architecture))")
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
    /// - Throws: `io`, `invalidArgument` when a number is not allowed, `unsupported` for an architecture of more than
    ///   4096 characters.
    package func save(path: String) throws {
        for parameter in parameters { try parameter.requireAllowed(or: .invalidArgument) }
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
