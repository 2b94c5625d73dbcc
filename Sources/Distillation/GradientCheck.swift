import Glibc
import Numerics

/// Compares a teacher's gradients with finite differences on a few images of noise, so that a wrong `backward` is found
/// before it spoils a run.
///
/// For random weights u of the logits and a random direction d, backward(u) . d must be the derivative of u . t(x) along d;
/// the same for the features. A network of piecewise linear layers bends between the two points of a difference, and float32
/// rounds it, each at another distance: the best of four distances counts.
///
/// - Throws: `teacher` with both numbers when they differ, and what the teacher throws.
func checkGradients(of teacher: any Teacher, seed: UInt64, _ compute: Compute) throws {
    let (samples, tolerance) = (8, 0.05)
    var random = Philox(seed: seed, stream: .check)
    func normal(_ shape: Shape) throws -> Batch {
        let batch = try Batch(samples: samples, shape: shape)
        random.fillNormal(batch)
        return batch
    }
    let images = try Batch(samples: samples, shape: teacher.inputShape)
    let pass = try teacher.plan(images, gradients: true, compute)
    let (x, direction) = (try normal(images.shape), try normal(images.shape))

    /// A part of the teacher's answer, with the weights by which its numbers are summed up.
    struct Part {
        let name: String
        let answer: Batch
        let gradient: Batch
        let weights: Batch
        var derivative: [Double] = []
    }
    var parts: [Part] = []
    if let gradient = pass.logitsGradient {
        parts.append(
            Part(name: "logits", answer: pass.logits, gradient: gradient, weights: try normal(pass.logits.shape)))
    }
    if let features = pass.features, let gradient = pass.featuresGradient {
        parts.append(Part(name: "features", answer: features, gradient: gradient, weights: try normal(features.shape)))
    }

    images.load(x)
    try pass.forward()
    for index in parts.indices {
        for part in parts { part.gradient.fill(0) }
        parts[index].gradient.load(parts[index].weights)
        try pass.backward()
        guard let gradient = pass.imagesGradient else { return }
        parts[index].derivative = rowProducts(gradient, direction)
    }
    for part in parts { part.gradient.fill(0) }

    func sums(at distance: Float) throws -> [[Double]] {
        for i in 0..<images.count { images.pointer[i] = x.pointer[i] + distance * direction.pointer[i] }
        try pass.forward()
        return parts.map { rowProducts($0.answer, $0.weights) }
    }
    var best: [(error: Double, difference: [Double])] = parts.map { _ in (.infinity, []) }
    for distance: Float in [3e-2, 3e-3, 3e-4, 3e-5] {
        let (ahead, behind) = (try sums(at: distance), try sums(at: -distance))
        for (index, part) in parts.enumerated() {
            let difference = zip(ahead[index], behind[index]).map { ($0 - $1) / (2 * Double(distance)) }
            let error = norm(zip(part.derivative, difference).map { $0 - $1 }) / max(norm(difference), 1e-4)
            if error < best[index].error { best[index] = (error, difference) }
        }
    }
    for (part, (error, difference)) in zip(parts, best) where error > tolerance {
        let worst = part.derivative.indices.max {
            abs(part.derivative[$0] - difference[$0]) < abs(part.derivative[$1] - difference[$1])
        }
        throw DaflError(
            .teacher,
            "the teacher's backward is not the derivative of its \(part.name): along a random direction it gives "
                + "\(worst.map { part.derivative[$0] } ?? 0) where finite differences give "
                + "\(worst.map { difference[$0] } ?? 0) (relative error \(error) over \(samples) images, allowed \(tolerance))")
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
