import Networks
import Numerics

/// Networks from ONNX files: what classifiers are made of in opsets 7 to 23, with constants folded, and with transposes between
/// channels-last and channels-first images left out.
///
/// A softmax or sigmoid at the end is not part of the network, whose outputs are logits; `graph.interface.head` remembers it. A
/// batch that the file fixes becomes free. Of several outputs one is read: see `ONNXOutput`. A file of whole numbers as inputs, such as
/// pixels from 0 to 255 or -128 to 127, gives a network that takes these numbers as floats. docs/networks.md has the table of
/// operators.
extension Network {
    /// - Parameters:
    ///   - inputShape: [channels, height, width] or [numbers]; needed where the file leaves them free.
    ///   - feature: the tensor of the file that is the feature; nil for the input of the last linear layer.
    ///   - output: which of several outputs is the classifier's.
    /// - Throws: `io`, `format` when the file is damaged, `unsupported` when it has an operator, or a use of one, that is not
    ///   read, with the node's name; `invalidArgument` when `inputShape` or `feature` does not fit; `outOfMemory`.
    package static func load(
        onnx path: String, inputShape: [Int]? = nil, feature: String? = nil, output: String? = nil
    ) throws -> Network {
        let file = try naming(path) { try UnsafeFileReader(path: path) }
        return try load(onnx: file, path: path, inputShape: inputShape, feature: feature, output: output)
    }

    /// The same of a file that is open, or in memory, where it has no folder for weights in files of their own.
    static func load(
        onnx file: any ByteSource, path: String, inputShape: [Int]?, feature: String?, output: String?
    ) throws -> Network {
        try naming(path) {
            if let memory = file as? MemoryBytes {
                return try read(UnsafeBytes(borrowing: memory.bytes), folder: nil, name: "ONNX model", inputShape, feature, output)
            }
            let parts = path.split(separator: "/", omittingEmptySubsequences: false)
            let folder = parts.count > 1 ? parts.dropLast().joined(separator: "/") + "/" : "."
            let name = parts.last.map(String.init) ?? path
            return try read(UnsafeBytes(file, 0..<file.size), folder: folder, name: name, inputShape, feature, output)
        }
    }

    private static func read(
        _ bytes: UnsafeBytes, folder: String?, name: String, _ inputShape: [Int]?, _ feature: String?,
        _ output: String?
    ) throws -> Network {
        let model = try ONNXModel(bytes, folder: folder).joiningLocalResponses()
        let file = try ONNXImport(
            model, name: name, size: bytes.count, inputShape: inputShape, feature: feature, output: output)
        return try file.network()
    }
}
