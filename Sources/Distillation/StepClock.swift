import Numerics

/// How long steps take.
struct StepClock {
    private(set) var secondsElapsed = 0.0
    /// A mean in which each step weighs a tenth less than the one after it.
    private(set) var secondsPerStep = 0.0
    var imagesPerSecond: Double { imagesPerStep / max(secondsPerStep, 1e-9) }
    /// A mean as that of the seconds.
    private var imagesPerStep = 0.0
    private var started = 0.0

    mutating func start() { started = monotonicSeconds() }

    mutating func stop(images: Int) {
        let seconds = monotonicSeconds() - started
        let share = secondsElapsed == 0 ? 1 : 0.1
        secondsPerStep += share * (seconds - secondsPerStep)
        imagesPerStep += share * (Double(images) - imagesPerStep)
        secondsElapsed += seconds
    }

    mutating func persist(_ archive: Archive) {
        archive.real("seconds_elapsed", &secondsElapsed)
        archive.real("seconds_per_step", &secondsPerStep)
        archive.real("images_per_step", &imagesPerStep)
    }
}
