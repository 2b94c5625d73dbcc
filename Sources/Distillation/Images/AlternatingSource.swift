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
    private var state = State()
    private var kept = State()

    private struct State {
        var step = 0
        var isGenerated = false
        /// Of the student with the teacher, on pictures that it has not seen.
        var agreement = RecentMean()
        /// Of the last generated batch.
        var value: GeneratorLoss.Value?
    }

    /// Steps with drawn pictures alone, until the student knows them.
    private static let firstSteps = 40
    /// Of a batch, at which it is fit; less where the student does not agree on as much of the pictures, as with many classes.
    private static let leastAgreement = (of: 0.5, ofPictures: 0.65)

    init(_ generating: GeneratorSource, _ drawing: ProceduralSource) {
        (self.generating, self.drawing) = (generating, drawing)
    }

    private var source: any ImageSource { state.isGenerated ? generating : drawing }

    var images: Batch { source.images }
    var targets: Targets { source.targets }
    /// Once it has made images.
    var generator: GeneratorSource? { state.value == nil ? nil : generating }
    var generatesNow: Bool { state.isGenerated }

    func keep() {
        kept = state
        generating.keep()
        drawing.keep()
    }

    func undo() {
        state = kept
        generating.undo()
        drawing.undo()
    }

    /// Returns the losses of the last generated batch, where there was one.
    func next() throws -> GeneratorLoss.Value {
        state.isGenerated = state.step >= Self.firstSteps && state.step % 2 == 1
        state.step += 1
        let value = try source.next()
        if state.isGenerated { state.value = value }
        return state.value ?? value
    }

    func areFit(agreement: Double) -> Bool {
        if state.isGenerated {
            return agreement >= min(Self.leastAgreement.of, Self.leastAgreement.ofPictures * state.agreement.value)
        }
        state.agreement.add(agreement)
        return true
    }

    /// Half of them generated, once that is done, and the others drawn.
    func sample(_ random: inout Philox, count: Int, rows: UnsafeMutablePointer<Float>) throws {
        let generated = state.value == nil ? 0 : (count + 1) / 2
        if generated > 0 { try generating.sample(&random, count: generated, rows: rows) }
        guard generated < count else { return }
        try drawing.sample(&random, count: count - generated, rows: rows + generated * images.elements)
    }
}
