import Numerics

/// Images of the host's to learn from, in the generator's place; borrowed, so the host keeps them as long as the distillation.
package struct ImageData {
    /// Rows [count, image].
    package let images: UnsafePointer<Float>
    /// The images' classes [count]; nil for unlabelled data.
    package let labels: UnsafePointer<Int64>?
    package let count: Int

    package init(images: UnsafePointer<Float>, labels: UnsafePointer<Int64>?, count: Int) {
        (self.images, self.labels, self.count) = (images, labels, count)
    }

    /// - Throws: `invalidArgument` for a label that is no class, or an image with a number that is not finite.
    func validate(image: Shape, classes: Int) throws {
        for i in 0..<count {
            if let label = labels?[i], !(0..<Int64(classes)).contains(label) {
                throw DaflError.invalid("labels[\(i)]", label, "from 0 to \(classes - 1)")
            }
            let row = UnsafeBufferPointer(start: images + i * image.count, count: image.count)
            if let value = row.first(where: { !$0.isFinite }) {
                throw DaflError.invalid("a number of image \(i)", value, "finite")
            }
        }
    }
}

/// What was noted of a teacher's features on its training data, before that was gone (Lopes, Fenu and Starner 2017): their
/// means and standard deviations, in one group or several, for example one for each class. Borrowed like `ImageData`.
package struct FeatureMetadata {
    /// Rows [groups, features].
    package let means: UnsafePointer<Float>
    package let deviations: UnsafePointer<Float>
    package let groups: Int

    package init(means: UnsafePointer<Float>, deviations: UnsafePointer<Float>, groups: Int) {
        (self.means, self.deviations, self.groups) = (means, deviations, groups)
    }

    /// - Throws: `invalidArgument` for a number that is not finite.
    func validate(features: Int) throws {
        for (name, rows) in [("metadata_means", means), ("metadata_deviations", deviations)] {
            for i in 0..<groups * features where !rows[i].isFinite {
                throw DaflError.invalid("\(name)[\(i)]", rows[i], "finite")
            }
        }
    }
}
