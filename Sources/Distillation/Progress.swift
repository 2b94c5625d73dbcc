import Numerics

/// Where a distillation stands after a step: what `dafl_progress` in dafl.h tells, which describes the fields.
package struct Progress {
    package var step = 0
    package var steps = 0
    package var losses = GeneratorLoss.Value()
    /// Mean L_KD over the step's student batches.
    package var distillationLoss = 0.0
    /// Generators that collapsed and were started afresh.
    package var collapses = 0
    package var agreement = Double.nan
    package var holdoutAgreement = Double.nan
    package var imagesPerSecond = 0.0
    package var secondsElapsed = 0.0
    package var secondsLeft = 0.0
    package var teacherCalls = 0
    package var teacherImages = 0

    /// What others know is not part of it.
    mutating func persist(_ archive: Archive) {
        archive.whole("step", &step, in: Archive.counts)
        archive.within("losses") { losses.persist(archive) }
        archive.real("distillation_loss", &distillationLoss)
        archive.whole("collapses", &collapses, in: Archive.counts)
        archive.real("holdout_agreement", &holdoutAgreement, in: 0...1)
    }
}
