import Glibc
import Numerics

/// Compares a teacher's gradients with finite differences on a few images of noise, so that a wrong `backward` is found
/// before it spoils a run.
///
/// For random weights u of the logits and a random direction d, backward(u) . d must be the derivative of u . t(x) along d;
/// the same for the features.
///
/// - Throws: `teacher` with both numbers when they differ, and what the teacher throws.
func checkGradients(of teacher: any Teacher, seed: UInt64, _ compute: Compute) throws {
    var line = try RandomLine(teacher.inputShape, seed: seed)
    let pass = try teacher.plan(line.images, gradients: true, compute)

    /// A part of the teacher's answer, with the weights by which its numbers are summed up.
    struct Part {
        let name: String
        let answer: Batch
        let gradient: Batch
        let weights: Batch
    }
    var parts: [Part] = []
    if let gradient = pass.logitsGradient {
        let weights = try line.normal(pass.logits.shape)
        parts.append(Part(name: "logits", answer: pass.logits, gradient: gradient, weights: weights))
    }
    if let features = pass.features, let gradient = pass.featuresGradient {
        parts.append(
            Part(name: "features", answer: features, gradient: gradient, weights: try line.normal(features.shape)))
    }

    try pass.forward()
    var derivatives: [[Double]] = []
    for part in parts {
        for other in parts { other.gradient.fill(0) }
        part.gradient.load(part.weights)
        try pass.backward()
        guard let gradient = pass.imagesGradient else { return }
        derivatives.append(rowProducts(gradient, line.direction))
    }
    for part in parts { part.gradient.fill(0) }

    try line.compare(derivatives, of: parts.map { "backward is not the derivative of its \($0.name)" }) {
        try pass.forward()
        return parts.map { rowProducts($0.answer, $0.weights) }
    }
}

/// The same for a teacher's regularizer, if it has one.
func checkRegularizer(of teacher: any Teacher, seed: UInt64, _ compute: Compute) throws {
    let line = try RandomLine(teacher.inputShape, seed: seed)
    guard let regularizer = try teacher.planRegularizer(line.images, compute) else { return }
    _ = try regularizer.evaluate()
    let derivative = rowProducts(regularizer.gradient, line.direction).reduce(0, +)
    try line.compare([[derivative]], of: ["regularizer's gradient is not its derivative"]) {
        [[try regularizer.evaluate()]]
    }
}

/// Images of noise x + s d, and what changes along them.
private struct RandomLine {
    /// First x.
    let images: Batch
    let direction: Batch
    private let start: Batch
    private var random: Philox
    private static let samples = 8
    private static let tolerance = 0.05

    init(_ image: Shape, seed: UInt64) throws {
        random = Philox(seed: seed, stream: .check)
        images = try Batch(samples: Self.samples, shape: image)
        (start, direction) = (try Batch(samples: Self.samples, shape: image), try Batch(samples: Self.samples, shape: image))
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

    /// Holds derivatives by s against differences of `values`, each a list that belongs together.
    ///
    /// A network of piecewise linear layers bends between the two points of a difference, and float32 rounds it, each at
    /// another distance: the best of four distances counts.
    /// - Throws: `teacher`, the fault named by `faults`, and what `values` throws.
    func compare(_ derivatives: [[Double]], of faults: [String], values: () throws -> [[Double]]) throws {
        func there(_ distance: Float) throws -> [[Double]] {
            images.load(start)
            images.add(direction, times: distance)
            return try values()
        }
        var best: [(error: Double, difference: [Double])] = derivatives.map { _ in (.infinity, []) }
        for distance: Float in [3e-2, 3e-3, 3e-4, 3e-5] {
            let (ahead, behind) = (try there(distance), try there(-distance))
            for (index, derivative) in derivatives.enumerated() {
                let difference = zip(ahead[index], behind[index]).map { ($0 - $1) / (2 * Double(distance)) }
                let error = norm(zip(derivative, difference).map { $0 - $1 }) / max(norm(difference), 1e-4)
                if error < best[index].error { best[index] = (error, difference) }
            }
        }
        for (index, (error, difference)) in best.enumerated() where error > Self.tolerance {
            let derivative = derivatives[index]
            let worst = derivative.indices.max {
                abs(derivative[$0] - difference[$0]) < abs(derivative[$1] - difference[$1])
            }
            throw DaflError(
                .teacher,
                "the teacher's \(faults[index]): along a random direction it gives \(worst.map { derivative[$0] } ?? 0) where "
                    + "finite differences give \(worst.map { difference[$0] } ?? 0) (relative error \(error) over "
                    + "\(Self.samples) images, allowed \(Self.tolerance))")
        }
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
