import Networks
import Numerics
import Testing

@testable import Formats

extension Network {
    static func load(
        onnx bytes: [UInt8], inputShape: [Int]? = nil, feature: String? = nil, output: String? = nil
    ) throws -> Network {
        try bytes.withUnsafeBytes {
            try load(
                onnx: MemoryBytes(borrowing: $0), path: "ONNX model in memory", inputShape: inputShape, feature: feature,
                output: output)
        }
    }

    /// What it gives for samples in rows.
    func outputs(_ rows: [[Float]]) throws -> [[Float]] {
        let compute = try Compute(threads: 1)
        let input = try Batch(samples: rows.count, shape: inputShape)
        let flat = rows.flatMap { $0 }
        input.load(rows: flat, compute)
        let pass = try Pass(self, input: input, compute)
        pass.forward()
        return rows.indices.map { sample in (0..<outputShape.count).map { pass.output[sample, $0] } }
    }
}

/// Numbers that differ and repeat never: sines.
func sines(_ count: Int, _ phase: Float = 0) -> [Float] {
    (0..<count).map { i in
        let x = (Float(i) * 0.7548777 + phase).truncatingRemainder(dividingBy: 2) - 1
        return 4 * x * (1 - abs(x))
    }
}

/// Every number within a share of the largest.
func expectClose(
    _ found: [Float], _ wanted: [Float], _ tolerance: Float = 1e-5, sourceLocation: SourceLocation = #_sourceLocation
) {
    #expect(found.count == wanted.count, sourceLocation: sourceLocation)
    let largest = max(wanted.map(abs).max() ?? 0, 1e-6)
    for (i, (x, y)) in zip(found, wanted).enumerated() where !(abs(x - y) <= tolerance * largest) {
        Issue.record("number \(i) is \(x), not \(y)", sourceLocation: sourceLocation)
        return
    }
}

/// y = W x + b, W [outputs, inputs].
func naiveLinear(_ weight: [Float], _ bias: [Float]?, _ x: [Float]) -> [Float] {
    let outputs = weight.count / x.count
    return (0..<outputs).map { o in
        x.indices.reduce(bias?[o] ?? 0) { $0 + weight[o * x.count + $1] * x[$1] }
    }
}
