import Numerics

/// A trained classifier that stays as it is: the fixed discriminator of the method.
///
/// A network of the library and a host's callback both come as this.
package protocol Teacher: AnyObject {
    var inputShape: Shape { get }
    /// K, the length of a row of logits.
    var classes: Int { get }
    /// The length of a row of features, the activations before the last fully connected block; 0 for none.
    var features: Int { get }
    /// Whether `TeacherPass.backward` works.
    var givesGradients: Bool { get }
    /// Whether it knows more than its answers: R(x), a number for a batch of images, the smaller the more they are like those
    /// that it was trained on. The distance of their batch-norm statistics to those kept from training is one (DeepInversion,
    /// Yin et al., CVPR 2020, equation 4).
    var hasRegularizer: Bool { get }
    /// The teacher at work on one batch, with all the memory it needs.
    /// - Parameters:
    ///   - gradients: whether `backward` leads back the gradients by its answers.
    ///   - regularizerWeight: w, with which `backward` adds w dR/dx. Where it is 0 or there is no R, nothing is done for it.
    func plan(_ images: Batch, gradients: Bool, regularizerWeight: Double, _ compute: Compute) throws -> any TeacherPass
}

extension Teacher {
    package var hasRegularizer: Bool { false }
    package func plan(_ images: Batch, gradients: Bool, _ compute: Compute) throws -> any TeacherPass {
        try plan(images, gradients: gradients, regularizerWeight: 0, compute)
    }
}

/// A teacher at work on one batch of n images.
package protocol TeacherPass: AnyObject, Persistent {
    var images: Batch { get }
    /// t [n, K], written by `forward`.
    var logits: Batch { get }
    /// f [n, features], written by `forward`; nil for none.
    var features: Batch? { get }
    /// dL/dt and dL/df, to be written before `backward`; zero at first. nil when no gradients were planned.
    var logitsGradient: Batch? { get }
    var featuresGradient: Batch? { get }
    /// dL/dx + w dR/dx, written by `backward`; nil when neither was planned.
    var imagesGradient: Batch? { get }
    /// R at the images of the last `backward`; 0 when it was not planned.
    var regularizer: Double { get }
    /// What lies within, of a network that is watched: see `NetworkTeacher.watching`. Written by `forward`.
    var watched: [Batch] { get }

    /// - Throws: what the host's callback stopped with.
    func forward() throws
    /// The vector-Jacobian product at the images of the last `forward`. Throws as `forward`.
    func backward() throws
}

extension TeacherPass {
    package var regularizer: Double { 0 }
    package var watched: [Batch] { [] }
    /// Most draw nothing at random.
    package func persist(_ archive: Archive) {}
}

/// A teacher that changes something about another and hands on the rest.
protocol WrappingTeacher: Teacher {
    var wrapped: any Teacher { get }
}

extension WrappingTeacher {
    var inputShape: Shape { wrapped.inputShape }
    var classes: Int { wrapped.classes }
    var features: Int { wrapped.features }
    var givesGradients: Bool { wrapped.givesGradients }
    var hasRegularizer: Bool { wrapped.hasRegularizer }
}

/// The same for its pass.
protocol WrappingTeacherPass: TeacherPass {
    var wrapped: any TeacherPass { get }
}

extension WrappingTeacherPass {
    var images: Batch { wrapped.images }
    var logits: Batch { wrapped.logits }
    var features: Batch? { wrapped.features }
    var logitsGradient: Batch? { wrapped.logitsGradient }
    var featuresGradient: Batch? { wrapped.featuresGradient }
    var imagesGradient: Batch? { wrapped.imagesGradient }
    var regularizer: Double { wrapped.regularizer }
    var watched: [Batch] { wrapped.watched }
    func forward() throws { try wrapped.forward() }
    func persist(_ archive: Archive) { wrapped.persist(archive) }

    /// For a pass that has gradients of its own by the answers, where the one it wraps was planned for w dR/dx alone: adds that.
    func addRegularizer(to gradient: Batch?) throws {
        guard let byRegularizer = wrapped.imagesGradient else { return }
        try wrapped.backward()
        gradient?.add(byRegularizer, times: 1)
    }
}
