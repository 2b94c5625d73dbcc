import Glibc

/// How long steps take.
struct StepClock {
    private(set) var secondsElapsed = 0.0
    /// A mean in which each step weighs a tenth less than the one after it.
    private(set) var secondsPerStep = 0.0
    private(set) var imagesPerSecond = 0.0
    private var started = 0.0

    mutating func start() { started = Self.now }

    mutating func stop(images: Int) {
        let seconds = Self.now - started
        secondsPerStep = secondsElapsed == 0 ? seconds : 0.9 * secondsPerStep + 0.1 * seconds
        secondsElapsed += seconds
        imagesPerSecond = Double(images) / max(secondsPerStep, 1e-9)
    }

    private static var now: Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }
}
