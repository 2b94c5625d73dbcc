import Networks
import Numerics

/// Networks as safetensors files: every tensor under its name in PyTorch's state_dict and in PyTorch's layout, and in the
/// metadata the architecture's name, or the graph as JSON, so that a file alone rebuilds its network.
extension Network {
    private static let architectureKey = "architecture"
    private static let graphKey = "graph"
    /// Bounds the layers that a file can ask for, whose text may be of any length.
    private static let longestArchitecture = 4096

    /// The network that `save` wrote, or one that PyTorch's tools saved: their counters, `num_batches_tracked`, are passed over.
    /// - Parameter architecture: what kind of network, as `Network.init(description:)` takes it, for a file that does not say
    ///   so in its metadata; one that does must say the same.
    /// - Throws: `io`, `format` when the file is damaged, or its tensors are not the architecture's or have numbers that these
    ///   do not allow, `unsupported` when they are not floating-point numbers of 16, 32 or 64 bits, `outOfMemory`,
    ///   `invalidArgument` for an unknown or impossible `architecture`.
    package static func load(path: String, architecture: String? = nil) throws -> Network {
        let named = try architecture.map { try Network(description: $0) }
        return try load(SafetensorsFile(path: path), as: named)
    }

    /// - Parameter named: what the file is to be, where it does not say so.
    static func load(_ file: SafetensorsFile, as named: Network?) throws -> Network {
        let path = file.path
        return try naming(path) {
            let network = try named.map { try $0.requiringNoOther(in: file) } ?? planned(by: file)
            if file.isPacked {
                try network.unpack(file)
                return network
            }
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
        do {
            if let json = file.metadata[graphKey] { return try Network(Graph(json: json)) }
            guard let architecture = file.metadata[architectureKey] else {
                throw DaflError(.format, "has no architecture in its metadata, and none was named to load it as")
            }
            guard isSavable(architecture) else {
                throw DaflError(.format, "its architecture \(quoted(architecture)) is not one")
            }
            return try Network(architecture: architecture)
        } catch let error as DaflError where error.status == .invalidArgument {
            throw DaflError(.format, error.description)
        }
    }

    /// This network, unless a file says that its numbers are another's.
    private func requiringNoOther(in file: SafetensorsFile) throws -> Network {
        let (other, mine) = (file.metadata[Self.graphKey] ?? file.metadata[Self.architectureKey], description)
        guard let other, other != mine else { return self }
        throw DaflError(.format, "is a network \(quoted(other)), not \(quoted(mine))")
    }

    private static func isSavable(_ architecture: String) -> Bool {
        architecture.utf8.count <= longestArchitecture && architecture.utf8.allSatisfy { (0x20..<0x7F).contains($0) }
    }

    /// The file's tensors in the order of the parameters, when they are the same.
    private func entries(in file: SafetensorsFile) throws -> [SafetensorsFile.Entry] {
        let names = Set(parameters.map(\.name))
        let unknown = file.tensors.first { !names.contains($0.name) && !$0.name.hasSuffix(".num_batches_tracked") }
        if let tensor = unknown {
            throw DaflError(.format, "has a tensor \(quoted(tensor.name)) that \(name) does not have")
        }
        return try parameters.map { parameter in
            let entry = try file.floatEntry(named: parameter.name)
            guard entry.dimensions == parameter.value.shape.dimensions else {
                throw DaflError(
                    .format,
                    "tensor \(parameter.name) has shape \(printable("\(entry.dimensions)")); \(name) needs "
                        + "\(parameter.value.shape)")
            }
            return entry
        }
    }

    /// Writes the file whole or not at all; the same network makes the same bytes.
    /// - Throws: `io`, `invalidArgument` when a number is not allowed, `unsupported` for an architecture of more than
    ///   4096 characters.
    package func save(path: String) throws {
        var metadata = try metadata()
        // Tools of the PyTorch world look for it before they trust the names and layouts.
        metadata["format"] = "pt"
        try SafetensorsFile.write(path: path, metadata: metadata, tensors: parameters.map { ($0.name, $0.value) })
    }

    /// What the file of a network says of it, once its numbers are found to be allowed.
    func metadata() throws -> [String: String] {
        for parameter in parameters { try parameter.requireAllowed(or: .invalidArgument) }
        guard architecture.map(Self.isSavable) ?? true else {
            throw DaflError(
                .unsupported, "an architecture of more than \(Self.longestArchitecture) characters is not saved")
        }
        return [architecture == nil ? Self.graphKey : Self.architectureKey: description]
    }
}

extension Network {
    /// What `init(description:)` rebuilds it from: its architecture's name, or its graph as JSON.
    package var description: String { architecture ?? graph.json }

    /// A network whose weights are about to be set: those of linear and convolution layers are zero.
    /// - Parameter text: an architecture's name with its arguments, or a graph as JSON.
    /// - Throws: `invalidArgument`, with the place in a graph; `outOfMemory`.
    package convenience init(description text: String) throws {
        if text.isGraph {
            try self.init(Graph(json: text))
        } else {
            try self.init(architecture: text)
        }
    }
}

extension String {
    /// Whether it can be meant as a graph in JSON, and not as an architecture's name.
    package var isGraph: Bool { first { !$0.isWhitespace }.map { "{[".contains($0) } ?? false }
}
