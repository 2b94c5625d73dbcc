import Numerics

/// Drawn pictures and, in every other step, images that a generator learned to make, of which those batches count that the
/// student makes something of.
///
/// The generator finds what the teacher is sure of. Of many a teacher that is much like its data, and teaches what no drawing
/// shows. Of others, such as those that end in a global mean, it is nothing that any other network knows again, and to learn
/// from it harms. The student tells the two apart: having learned from pictures, it names the teacher's class for more of the
/// former images than of the latter (benchmarks/ablation.md has the numbers).
final class AlternatingSource: ImageSource {
    private let generating: GeneratorSource
    private let drawing: ProceduralSource
    private var step = 0
    private(set) var generatesNow = false
    /// Of the student with the teacher, on pictures that it has not seen.
    private var agreement = RecentMean()
    private var hasGenerated = false
    /// Of the last generated batch.
    private var value = GeneratorLoss.Value()

    /// Steps with drawn pictures alone, until the student knows them.
    private static let firstSteps = 40
    /// Of a batch, at which it is fit; less where the student does not agree on as much of the pictures, as with many classes.
    private static let leastAgreement = (of: 0.5, ofPictures: 0.65)

    init(_ generating: GeneratorSource, _ drawing: ProceduralSource) {
        (self.generating, self.drawing) = (generating, drawing)
    }

    private var source: any ImageSource { generatesNow ? generating : drawing }

    var images: Batch { source.images }
    var targets: Targets { source.targets }
    /// Once it has made images.
    var generator: GeneratorSource? { hasGenerated ? generating : nil }

    func persist(_ archive: Archive) {
        archive.whole("step", &step, in: Archive.counts)
        archive.flag("generates_now", &generatesNow)
        archive.within("agreement") { agreement.persist(archive) }
        archive.flag("has_generated", &hasGenerated)
        archive.within("losses") { value.persist(archive) }
        archive.part("generated", generating)
        archive.part("drawn", drawing)
    }

    /// Returns the losses of the last generated batch, where there was one.
    func next() throws -> GeneratorLoss.Value {
        generatesNow = step >= Self.firstSteps && step % 2 == 1
        step += 1
        let losses = try source.next()
        guard generatesNow || hasGenerated else { return losses }
        if generatesNow { (value, hasGenerated) = (losses, true) }
        return value
    }

    func areFit(agreement: Double) -> Bool {
        if generatesNow {
            return agreement >= min(Self.leastAgreement.of, Self.leastAgreement.ofPictures * self.agreement.value)
        }
        self.agreement.add(agreement)
        return true
    }

    /// Half of them generated, once that is done, and the others drawn.
    func sample(_ random: inout Philox, count: Int, rows: UnsafeMutablePointer<Float>) throws {
        let generated = hasGenerated ? (count + 1) / 2 : 0
        if generated > 0 { try generating.sample(&random, count: generated, rows: rows) }
        guard generated < count else { return }
        try drawing.sample(&random, count: count - generated, rows: rows + generated * images.elements)
    }
}
