import Numerics
import Testing

@testable import Networks

/// A network, and the same function written plainly in Double.
struct Subject: Sendable, CustomTestStringConvertible {
    typealias Weights = [String: [Double]]

    let testDescription: String
    let input: [Int]
    var samples = 18
    var training = false
    /// Whether a sample's output depends on other samples.
    var mixesSamples = false
    /// How far float32 may be from Double, relative to the largest number.
    var tolerance = 2e-5
    /// Adds the nodes, and names the feature if any.
    let nodes: @Sendable (inout Graph) -> Void
    /// From the input and all parameters by name, running statistics included: the output, and the features if any.
    let reference: @Sendable (Rows, Weights) -> [Rows]

    func network() throws -> Network {
        try Network(input, nodes)
    }
}

/// Expects the forward pass to be the reference, and what `backward` writes to be the slope of
///
///     L = <direction, output> + <direction, features>
///
/// along the input and every weight, at several numbers of threads. The slopes are central differences of the reference
/// in Double, where they are good to nine digits, so the only errors left are those of float32.
func checkGradients(_ subject: Subject, threads: [Int] = [1, 3]) throws {
    var random = Philox(seed: 1, stream: .check)
    let network = try subject.network()
    network.drawParameters(&random)
    let weights = Dictionary(uniqueKeysWithValues: network.parameters.map { ($0.name, $0.value.doubles) })
    let x = Rows(samples: subject.samples, subject.input, from: &random)
    let values = subject.reference(x, weights)
    let directions = values.map { Rows(samples: $0.samples, $0.dimensions, from: &random) }
    func loss(_ x: Rows, _ weights: Subject.Weights, _ directions: [Rows]) -> Double {
        zip(subject.reference(x, weights), directions).reduce(0) { $0 + dot($1.0, $1.1) }
    }

    let byInput = Slopes(at: x.values, tolerance: subject.tolerance, &random) { changed, index in
        let changedInput = Rows(samples: x.samples, x.dimensions, changed)
        guard let index, !subject.mixesSamples else { return loss(changedInput, weights, directions) }
        // No other sample changes, so no other needs to be computed.
        let sample = index / x.elements
        return loss(changedInput[sample], weights, directions.map { $0[sample] })
    }
    let byWeight = network.trainedParameters.map { parameter in
        Slopes(at: parameter.value.doubles, tolerance: subject.tolerance, &random) { changed, _ in
            loss(x, weights.merging([parameter.name: changed]) { $1 }, directions)
        }
    }

    for threads in threads {
        let pass = try Pass(network, input: x.batch(), gradients: [.weights, .input], Compute(threads: threads))
        let gradients = [pass.outputGradient, pass.featuresGradient].compactMap { $0 }
        try #require(gradients.count == directions.count)
        for (gradient, direction) in zip(gradients, directions) { gradient.load(try direction.batch()) }
        pass.memory.spoil()
        pass.forward(training: subject.training)
        for (actual, expected) in zip([pass.output, pass.features].compactMap { $0 }, values) {
            expectClose(actual, expected, within: subject.tolerance, "output")
        }
        network.spoilGradients()
        // Twice, so that what is added to gradients instead of written to them shows, and what is left of the first time.
        pass.backward()
        pass.forward(training: subject.training)
        pass.backward()
        let inputGradient = try #require(pass.inputGradient)
        byInput.expectEqual(Rows(inputGradient).values, of: "the input, \(threads) threads,")
        #expect(inputGradient.unusedLanes.allSatisfy { $0 == 0 })
        for (parameter, slopes) in zip(network.trainedParameters, byWeight) {
            slopes.expectEqual(try #require(parameter.gradient).doubles, of: "\(parameter.name), \(threads) threads,")
        }
    }
}

/// Finite differences of a function of many numbers: along each of them, or a random hundred where there are more, and
/// along one random direction that all have part in.
private struct Slopes {
    private let indices: [Int]
    private let differences: [Double]
    private let direction: [Double]
    private let alongDirection: Double
    private let tolerance: Double

    /// - Parameter loss: from the changed numbers, and the index of the one that changed or nil for all.
    init(at point: [Double], tolerance: Double, _ random: inout Philox, loss: ([Double], Int?) -> Double) {
        let h = 1e-6
        indices = point.count <= 100 ? Array(point.indices) : Array(random.permutation(point.count).prefix(100))
        differences = indices.map { i in
            var (above, below) = (point, point)
            above[i] += h
            below[i] -= h
            return (loss(above, i) - loss(below, i)) / (2 * h)
        }
        let direction = point.map { _ in Double(random.nextNormal()) }
        func along(_ step: Double) -> Double { loss(zip(point, direction).map { $0 + step * $1 }, nil) }
        alongDirection = (along(h) - along(-h)) / (2 * h)
        self.direction = direction
        self.tolerance = tolerance
    }

    func expectEqual(_ gradient: [Double], of name: String) {
        // Where terms of size 1 cancel, as in the slope by a bias before a normalisation, their rounding is left.
        let rounding = tolerance / 5
        let allowed = tolerance * (gradient.map { abs($0) }.max() ?? 0) + rounding
        for (i, difference) in zip(indices, differences) where !(abs(gradient[i] - difference) <= allowed) {
            Issue.record("the gradient by \(name) [\(i)] is \(gradient[i]), the finite difference \(difference)")
            return
        }
        let products = zip(gradient, direction).map { $0 * $1 }
        let length = products.reduce(0) { $0 + $1 * $1 }.squareRoot()
        #expect(
            abs(products.reduce(0, +) - alongDirection) <= tolerance * length + rounding,
            "the gradient by \(name) along a random direction")
    }
}

extension Network {
    /// Random everything, batch normalisation included, at sizes that keep the numbers of every layer near 1.
    func drawParameters(_ random: inout Philox) {
        initialise(&random)
        for parameter in parameters where parameter.name.hasPrefix("bn") {
            for i in 0..<parameter.value.count {
                let isScale = parameter.name.hasSuffix("weight") || parameter.name.hasSuffix("running_var")
                parameter.value[i] = isScale ? 0.5 + random.nextUniform() : random.nextNormal()
            }
        }
    }

    /// So that a gradient that `backward` does not write shows.
    func spoilGradients() {
        for parameter in trainedParameters { parameter.gradient?.fill(.nan) }
    }
}

extension Philox {
    fileprivate mutating func permutation(_ count: Int) -> [Int] {
        guard let order = try? Indices(count: count) else { return [] }
        permute(order)
        return (0..<count).map { order[$0] }
    }
}
