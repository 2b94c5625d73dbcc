import Numerics

@testable import Distillation

/// A teacher's pass that has a regularizer besides.
final class RegularizedPass: WrappingTeacherPass {
    let wrapped: any TeacherPass
    let imagesGradient: Batch?
    private(set) var regularizer = 0.0
    private let weight: Float
    private let evaluate: (Batch) throws -> Double
    private let gradient: Batch

    /// - Parameter evaluate: returns R at the pass's images and writes dR/dx.
    init(_ pass: any TeacherPass, weight: Double, _ evaluate: @escaping (Batch) throws -> Double) throws {
        (wrapped, self.weight, self.evaluate) = (pass, Float(weight), evaluate)
        gradient = try Batch(samples: pass.images.samples, shape: pass.images.shape)
        imagesGradient = try Batch(samples: pass.images.samples, shape: pass.images.shape)
    }

    func backward() throws {
        imagesGradient?.fill(0)
        if let byAnswers = wrapped.imagesGradient {
            try wrapped.backward()
            imagesGradient?.load(byAnswers)
        }
        regularizer = try evaluate(gradient)
        imagesGradient?.add(gradient, times: weight)
    }
}
