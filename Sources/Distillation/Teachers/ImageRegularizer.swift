import Numerics

/// R(x): a number that a teacher which knows more than its answers gives to a batch of images, the smaller the more they are
/// like those it was trained on.
///
/// The distance of the images' batch-norm statistics to those kept from training is one: DeepInversion (Yin et al., CVPR 2020),
/// equation 4.
package protocol ImageRegularizer: AnyObject {
    /// dR/dx at the images of the last `evaluate`.
    var gradient: Batch { get }
    /// R at the images that it was planned for, as they are now; writes `gradient`. Throws as `TeacherPass.forward`.
    func evaluate() throws -> Double
}
