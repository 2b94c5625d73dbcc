import Networks
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

    /// That of images [count, image] and labels, in hexadecimal digits.
    func checksum(image: Shape) -> String {
        var checksum = Checksum()
        checksum.add(UnsafeRawBufferPointer(UnsafeBufferPointer(start: images, count: count * image.count)))
        if let labels { checksum.add(UnsafeRawBufferPointer(UnsafeBufferPointer(start: labels, count: count))) }
        return String(checksum.value, radix: 16)
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

    func checksum(features: Int) -> String {
        var checksum = Checksum()
        for rows in [means, deviations] {
            checksum.add(UnsafeRawBufferPointer(UnsafeBufferPointer(start: rows, count: groups * features)))
        }
        return String(checksum.value, radix: 16)
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

/// What the host says of the units of its teacher's inputs.
package struct InputStatistics {
    /// [count]; nil for 0.
    package let means: UnsafePointer<Float>?
    /// [count]; nil for 1.
    package let deviations: UnsafePointer<Float>?
    package let count: Int

    package init(means: UnsafePointer<Float>?, deviations: UnsafePointer<Float>?, count: Int) {
        (self.means, self.deviations, self.count) = (means, deviations, count)
    }

    /// A copy, fit for a teacher.
    /// - Throws: `invalidArgument` when they are not as many as its inputs have, or no units.
    func units(for input: Shape) throws -> InputUnits {
        try InputUnits.require(count: count, fitting: input)
        let units = try InputUnits(count: count)
        for i in 0..<count {
            units.mean.value[i] = means?[i] ?? 0
            units.deviation.value[i] = deviations?[i] ?? 1
        }
        for (name, parameter) in [("input_mean", units.mean), ("input_deviation", units.deviation)] {
            guard let i = parameter.firstRefused(of: parameter.value.pointer) else { continue }
            throw DaflError.invalid("\(name)[\(i)]", parameter.value[i], parameter.allowed.rawValue)
        }
        return units
    }
}
