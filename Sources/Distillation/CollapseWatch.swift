/// Notices a generator that makes images of a few classes only.
struct CollapseWatch {
    private var poorSteps = 0

    /// What to tell the user after a step, once for each time that the classes stay few.
    mutating func warning(_ effectiveClasses: Double, of classes: Int) -> String? {
        poorSteps = effectiveClasses < Double(classes) / 2 ? poorSteps + 1 : 0
        guard poorSteps == 25 else { return nil }
        let tenths = Int(effectiveClasses * 10)
        return "for \(poorSteps) steps the generator's images have been of \(tenths / 10).\(tenths % 10) of \(classes) classes; "
            + "a larger entropy_weight or another seed may help"
    }
}
