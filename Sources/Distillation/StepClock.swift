import Glibc

/// How long steps take.
struct StepClock {
    private(set) var secondsElapsed = 0.0
    /// A mean in which each step weighs a tenth less than the one after it.
    private(set) var secondsPerStep = 0.0
    var imagesPerSecond: Double { imagesPerStep / max(secondsPerStep, 1e-9) }
    /// A mean as that of the seconds.
    private var imagesPerStep = 0.0
    private var started = 0.0

    mutating func start() { started = Self.now }

    mutating func stop(images: Int) {
        let seconds = Self.now - started
        let share = secondsElapsed == 0 ? 1 : 0.1
        secondsPerStep += share * (seconds - secondsPerStep)
        imagesPerStep += share * (Double(images) - imagesPerStep)
        secondsElapsed += seconds
    }

    private static var now: Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }
}
