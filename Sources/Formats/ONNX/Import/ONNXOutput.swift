import Numerics

/// Which of a file's outputs is the classifier's.
enum ONNXOutput {
    /// ONNX's data types that are numbers, and no classes.
    private static let numbers: Set = [1, 2, 3, 10, 11, 16]

    /// - Parameters:
    ///   - name: nil for the only one that gives a row of numbers for each sample.
    ///   - feature: a tensor that is none.
    /// - Throws: `invalidArgument` when there is no such output, `unsupported` when several may be meant.
    static func chosen(_ model: ONNXModel, named name: String?, feature: String?) throws -> ONNXInterface {
        guard let first = model.outputs.first else { throw DaflError(.format, "is no network: it has no outputs") }
        if let name {
            guard let named = model.outputs.first(where: { $0.name == name }) else {
                throw DaflError.invalid("output", quoted(name), "one of the file's: \(list(model.outputs))")
            }
            return named
        }
        let all = model.outputs.filter { numbers.contains($0.type) && $0.name != feature }
        let rows = all.filter { $0.dimensions?.count == 2 }
        let candidates = rows.isEmpty ? all : rows
        guard candidates.count <= 1 else {
            throw DaflError(
                .unsupported, "has \(candidates.count) outputs that may be a classifier's, \(list(candidates)); say which is "
                    + "the `output`, and which, if one is, the `feature`")
        }
        return candidates.first ?? first
    }

    private static func list(_ outputs: [ONNXInterface]) -> String {
        outputs.prefix(8).map { quoted($0.name) }.joined(separator: ", ") + (outputs.count > 8 ? ", ..." : "")
    }
}
