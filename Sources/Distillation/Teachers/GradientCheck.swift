import Glibc
import Numerics

/// Compares a teacher's gradients with finite differences on a few images of noise, so that a wrong `backward` is found
/// before it spoils a run.
///
/// For random weights u of the logits and a direction d, backward(u) . d must be the derivative of u . t(x) along d; the same
/// for the features.
///
/// - Throws: `teacher` with both numbers when they differ, and what the teacher throws.
func checkGradients(of teacher: any Teacher, seed: UInt64, _ compute: Compute) throws {
    var line = try CheckedLine(teacher.inputShape, seed: seed)
    let pass = try teacher.plan(line.images, gradients: true, compute)
    var parts: [AnswerPart] = []
    if let gradient = pass.logitsGradient {
        let weights = try line.normal(pass.logits.shape)
        parts.append(AnswerPart(name: "logits", answer: pass.logits, gradient: gradient, weights: weights))
    }
    if let features = pass.features, let gradient = pass.featuresGradient {
        let weights = try line.normal(features.shape)
        parts.append(AnswerPart(name: "features", answer: features, gradient: gradient, weights: weights))
    }

    for part in parts {
        try pass.forward()
        for other in parts { other.gradient.fill(0) }
        part.gradient.load(part.weights)
        try pass.backward()
        guard let gradient = pass.imagesGradient else { return }
        try line.expect(gradient, fault: "backward is not the derivative of its \(part.name)")
    }
    for part in parts { part.gradient.fill(0) }

    try line.compare {
        try pass.forward()
        return parts.map { rowProducts($0.answer, $0.weights) }
    }
}

/// A part of a teacher's answer, with the weights by which its numbers are summed up.
private struct AnswerPart {
    let name: String
    let answer: Batch
    let gradient: Batch
    let weights: Batch
}

/// The same for a teacher's regularizer, if it has one.
func checkRegularizer(of teacher: any Teacher, seed: UInt64, _ compute: Compute) throws {
    var line = try CheckedLine(teacher.inputShape, seed: seed)
    guard teacher.hasRegularizer else { return }
    let pass = try teacher.plan(line.images, gradients: false, regularizerWeight: 1, compute)
    func evaluate() throws -> Double {
        try pass.backward()
        return pass.regularizer
    }
    _ = try evaluate()
    guard let gradient = pass.imagesGradient else { return }
    try line.expect(gradient, fault: "regularizer's gradient is not its derivative", isOfBatch: true)
    try line.compare { [[try evaluate()]] }
}

/// Images of noise x + s d, and what gradients say of numbers along them.
private struct CheckedLine {
    /// First x.
    let images: Batch
    private let start: Batch
    private let direction: Batch
    private var random: Philox
    private var expectations: [Expectation] = []
    private static let samples = 8
    /// Honest deep networks are off by up to 0.06, in half precision by up to 0.13; mistakes, of a sign, a factor or a part that is
    /// forgotten, by more.
    private static let tolerance = 0.15

    /// What a gradient says, and the difference that came nearest to its derivative along d.
    private struct Expectation {
        let gradient: Batch
        let fault: String
        /// Whether it is the gradient of one number of all images, not of one for each.
        let isOfBatch: Bool
        var error = Double.infinity
        var derivative: [Double] = []
        var difference: [Double] = []
    }

    init(_ image: Shape, seed: UInt64) throws {
        random = Philox(seed: seed, stream: .check)
        func batch() throws -> Batch { try Batch(samples: Self.samples, shape: image) }
        (images, start, direction) = (try batch(), try batch(), try batch())
        random.fillNormal(start)
        random.fillNormal(direction)
        images.load(start)
    }

    /// As many random samples of another shape.
    mutating func normal(_ shape: Shape) throws -> Batch {
        let batch = try Batch(samples: Self.samples, shape: shape)
        random.fillNormal(batch)
        return batch
    }

    /// Keeps a gradient by x to be compared, and leans the direction of noise towards it, each image by 1. Across a gradient
    /// there would be nothing to compare but what rounding makes of it.
    mutating func expect(_ gradient: Batch, fault: String, isOfBatch: Bool = false) throws {
        let copy = try Batch(samples: Self.samples, shape: gradient.shape)
        copy.load(gradient)
        expectations.append(Expectation(gradient: copy, fault: fault, isOfBatch: isOfBatch))
        for (i, square) in rowProducts(gradient, gradient).enumerated() where square > 0 {
            for e in 0..<gradient.elements { direction[i, e] += Float(Double(gradient[i, e]) / square.squareRoot()) }
        }
    }

    /// Holds what was expected against differences of `values`, in the same order.
    ///
    /// A network of piecewise linear layers bends between the two points of a difference, and float32 rounds it, each at
    /// another distance: the best of four distances counts.
    /// - Throws: `teacher` with the fault of the first that differs, and what `values` throws.
    mutating func compare(_ values: () throws -> [[Double]]) throws {
        for index in expectations.indices {
            let products = rowProducts(expectations[index].gradient, direction)
            expectations[index].derivative = expectations[index].isOfBatch ? [products.reduce(0, +)] : products
        }
        for distance: Float in [3e-2, 3e-3, 3e-4, 3e-5] {
            let (ahead, behind) = (try numbers(at: distance, values), try numbers(at: -distance, values))
            for index in expectations.indices {
                let derivative = expectations[index].derivative
                let difference = zip(ahead[index], behind[index]).map { ($0 - $1) / (2 * Double(distance)) }
                let error = norm(zip(derivative, difference).map { $0 - $1 }) / max(norm(difference), 1e-4)
                guard !(error >= expectations[index].error) || expectations[index].difference.isEmpty else { continue }
                (expectations[index].error, expectations[index].difference) = (error, difference)
            }
        }
        for expectation in expectations where !(expectation.error <= Self.tolerance) {
            let pairs = zip(expectation.derivative, expectation.difference)
            let (derivative, difference) = pairs.max { abs($0.0 - $0.1) < abs($1.0 - $1.1) } ?? (0, 0)
            throw DaflError(
                .teacher,
                "the teacher's \(expectation.fault): along a random direction it gives \(derivative) where finite differences "
                    + "give \(difference) (relative error \(expectation.error) over \(Self.samples) images, allowed "
                    + "\(Self.tolerance))")
        }
    }

    private func numbers(at distance: Float, _ values: () throws -> [[Double]]) throws -> [[Double]] {
        images.load(start)
        images.add(direction, times: distance)
        return try values()
    }
}

/// The inner product of each sample of a with that of b.
private func rowProducts(_ a: Batch, _ b: Batch) -> [Double] {
    (0..<a.samples).map { i in
        (0..<a.elements).reduce(0) { $0 + Double(a[i, $1]) * Double(b[i, $1]) }
    }
}

private func norm(_ numbers: [Double]) -> Double {
    numbers.reduce(0) { $0 + $1 * $1 }.squareRoot()
}
