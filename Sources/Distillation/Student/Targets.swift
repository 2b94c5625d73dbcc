import Numerics

/// What the student is to answer for a batch of n images.
struct Targets {
    /// The teacher's logits t [n, K].
    let logits: Batch
    /// The teacher's features f [n, F]; nil when it has none, or was not asked anew.
    var features: Batch?
    /// The images' classes [n], where the images are labelled data.
    var labels: Indices?
    /// What lies within the teacher, where it is watched and was asked anew.
    var watched: [Batch] = []
}

extension Targets {
    /// What the teacher answered last.
    init(_ teacher: any TeacherPass, labels: Indices? = nil) {
        self.init(logits: teacher.logits, features: teacher.features, labels: labels, watched: teacher.watched)
    }
}
