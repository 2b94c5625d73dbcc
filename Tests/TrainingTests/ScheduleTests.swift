import Glibc
import Testing
import Training

@Suite struct ScheduleTests {
    @Test func constantStays() {
        for step in [0, 1, 50, 99, 100, 1000] {
            #expect(Schedule.constant.rate(initial: 0.3, step: step, of: 100) == 0.3)
        }
    }

    @Test func cosineFallsFromTheInitialRateToZero() {
        func rate(_ step: Int) -> Double { Schedule.cosine.rate(initial: 0.2, step: step, of: 100) }
        #expect(rate(0) == 0.2)
        #expect(abs(rate(25) - 0.1 * (1 + 0.5.squareRoot())) < 1e-12)
        #expect(abs(rate(50) - 0.1) < 1e-12)
        #expect(abs(rate(100)) < 1e-12)
        #expect(abs(rate(150)) < 1e-12)
        for step in 0..<100 { #expect(rate(step + 1) < rate(step)) }
    }

    @Test func stepDividesByTenAtAHalfAndAtThreeQuarters() {
        func rate(_ step: Int) -> Double { Schedule.step.rate(initial: 2, step: step, of: 200) }
        for (step, expected) in [(0, 2), (99, 2), (100, 0.2), (149, 0.2), (150, 0.02), (199, 0.02), (200, 0.02)] {
            #expect(abs(rate(step) - expected) < 1e-12)
        }
    }

    @Test func aRunWithoutStepsHasARate() {
        for schedule in Schedule.allCases { #expect(schedule.rate(initial: 1, step: 0, of: 0) == 1) }
    }

    @Test func namesArePinned() {
        #expect(Schedule.allCases.map(\.rawValue) == ["constant", "cosine", "step"])
    }
}
