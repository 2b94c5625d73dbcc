import Dispatch
import Glibc
import LaneKernels
import Numerics
import Synchronization
import Testing

@Suite struct ComputeTests {
    @Test(arguments: [-1, 1025, .min, .max]) func impossibleThreadCountsAreInvalid(threads: Int) {
        let error = #expect(throws: DaflError.self) { try Compute(threads: threads) }
        #expect(error?.status == .invalidArgument)
    }

    @Test func zeroThreadsMeansAllProcessorsOfTheProcess() throws {
        #expect(try Compute().threads == Processors.available())
        #expect(try Compute(threads: 3).threads == 3)
    }

    @Test func levelChoosesTheKernelsUpToWhatTheProcessorRuns() throws {
        func name(_ level: Int?) throws -> String {
            String(cString: try Compute(threads: 1, level: level).kernels.name)
        }
        let available = Int(lane_kernels_available())
        let names = try (0..<available).map(name)
        #expect(names.first == "baseline")
        #expect(Set(names).count == available)
        #expect(try name(nil) == names.last)
        #expect(try name(99) == names.last)
    }

    @Test(arguments: [1, 2, 3, 4, 7], [0, 1, 2, 3, 5, 16, 97, 1000])
    func everyIndexIsCoveredOnceByTheSameThreadEveryTime(threads: Int, count: Int) throws {
        let compute = try Compute(threads: threads)
        func owners() -> [Int] {
            var visits = [Int](repeating: 0, count: count)
            var owners = [Int](repeating: -1, count: count)
            visits.withUnsafeMutableBufferPointer { visits in
                owners.withUnsafeMutableBufferPointer { owners in
                    let (visit, owner) = (visits, owners)
                    compute.parallelWithIndex(count) { share, range in
                        for i in range {
                            visit[i] += 1
                            owner[i] = share
                        }
                    }
                }
            }
            #expect(visits.allSatisfy { $0 == 1 })
            return owners
        }
        let first = owners()
        #expect(first.allSatisfy { (0..<threads).contains($0) })
        #expect(Set(first).count == min(threads, count))
        #expect(first == first.sorted())
        #expect(owners() == first)
    }

    /// A network's weights come in any number: those past the last whole vector must not be forgotten.
    @Test(arguments: [1, 2, 3], [0, 1, 16, 17, (1 << 14) - 1, 1 << 14, (1 << 14) + 1, (1 << 14) + 15, 20_000])
    func everyFloatIsCoveredOnceFromAnAlignedStart(threads: Int, count: Int) throws {
        let compute = try Compute(threads: threads)
        let visits = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: count)
        defer { visits.deallocate() }
        visits.initialize(repeating: 0)
        compute.parallelFloats(count) { start, length in
            // A part out of line is left out, and seen below.
            guard start % 16 == 0, start + length <= count else { return }
            for i in start..<start + length { visits[i] += 1 }
        }
        #expect(visits.allSatisfy { $0 == 1 })
    }

    @Test(arguments: [2, 3, 5]) func manyRoundsLoseNoWork(threads: Int) throws {
        let compute = try Compute(threads: threads)
        let totals = UnsafeMutableBufferPointer<Int>.allocate(capacity: threads)
        defer { totals.deallocate() }
        totals.initialize(repeating: 0)
        let rounds = 2000
        for round in 0..<rounds {
            compute.parallel(threads) { range in
                for i in range { totals[i] += round }
            }
            // Long enough for the threads to fall asleep: the next round has to wake them.
            if round % 100 == 0 { usleep(2000) }
        }
        #expect(totals.allSatisfy { $0 == rounds * (rounds - 1) / 2 })
    }

    /// Rounds of all sizes, some less than the threads, follow each other at once and after a sleep.
    @Test(arguments: [2, 4, 9]) func roundsOfFewerSharesThanThreadsLoseNoWork(threads: Int) throws {
        let compute = try Compute(threads: threads)
        let totals = UnsafeMutableBufferPointer<Int>.allocate(capacity: threads)
        defer { totals.deallocate() }
        totals.initialize(repeating: 0)
        var expected = [Int](repeating: 0, count: threads)
        for round in 0..<3000 {
            let shares = 1 + round * 7 % threads
            compute.parallelWithIndex(shares) { share, range in totals[share] += round * range.count }
            for share in 0..<shares { expected[share] += round }
            if round % 300 == 0 { usleep(500) }
        }
        #expect(Array(totals) == expected)
    }

    /// Each share sees what the caller wrote before, and the caller what each share wrote.
    @Test func roundsHandOnWhatWasWritten() throws {
        let compute = try Compute(threads: 3)
        let (given, taken) = (UnsafeMutablePointer<Int>.allocate(capacity: 1), UnsafeMutableBufferPointer<Int>.allocate(capacity: 3))
        defer {
            given.deallocate()
            taken.deallocate()
        }
        taken.initialize(repeating: -1)
        for round in 0..<2000 {
            given.pointee = round
            compute.parallelWithIndex(3) { share, _ in taken[share] = given.pointee }
            guard taken.allSatisfy({ $0 == round }) else {
                Issue.record("round \(round) shows \(Array(taken))")
                return
            }
        }
    }

    @Test func computesOfDifferentThreadsDoNotDisturbEachOther() throws {
        let callers = 4
        let computes = try (0..<callers).map { _ in Own(try Compute(threads: 3)) }
        let correct = Flags(callers)
        DispatchQueue.concurrentPerform(iterations: callers) { caller in
            let sums = UnsafeMutableBufferPointer<Int>.allocate(capacity: 100)
            defer { sums.deallocate() }
            sums.initialize(repeating: 0)
            for round in 0..<300 {
                computes[caller].value.parallel(100) { range in
                    for i in range { sums[i] += round * (caller + 1) }
                }
            }
            correct.set(caller, sums.allSatisfy { $0 == 300 * 299 / 2 * (caller + 1) })
        }
        #expect(correct.all)
    }

    @Test func poolsComeAndGoByTheHundreds() throws {
        let before = try threadsOfThisProcess()
        for round in 0..<400 {
            let compute = try Compute(threads: 1 + round % 5)
            guard round % 3 > 0 else { continue }  // some end without having worked
            var covered = 0
            compute.parallelWithIndex(64) { share, range in
                if share == 0 { covered = range.count }
            }
            #expect(covered >= 64 / 5)
        }
        // 800 threads have come; other tests may hold some, but these have gone.
        #expect(try threadsOfThisProcess() < before + 400)
    }

    /// So that the host's handlers run on the host's threads.
    @Test func threadsOfThePoolBlockSignalsAndTheCallersStayAsTheyWere() throws {
        let signals = [SIGINT, SIGTERM, SIGUSR1, SIGCHLD, SIGALRM]
        func blocked() -> [Bool] {
            var mask = sigset_t()
            pthread_sigmask(SIG_BLOCK, nil, &mask)
            return signals.map { sigismember(&mask, $0) == 1 }
        }
        let seen = UnsafeMutableBufferPointer<[Bool]>.allocate(capacity: 3)
        seen.initialize(repeating: [])
        defer {
            seen.deinitialize()
            seen.deallocate()
        }
        // The test runner's own threads may block all signals.
        var (one, before) = (sigset_t(), sigset_t())
        sigemptyset(&one)
        sigaddset(&one, SIGUSR1)
        pthread_sigmask(SIG_UNBLOCK, &one, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }

        let callers = blocked()
        let compute = try Compute(threads: 3)
        // Whoever is there first does a share: only when each waits for the others is it done by a thread of its own.
        let begun = Atomic<Int>(0)
        compute.parallelWithIndex(3) { share, _ in
            begun.add(1, ordering: .sequentiallyConsistent)
            while begun.load(ordering: .sequentiallyConsistent) < 3 { usleep(10) }
            seen[share] = blocked()
        }
        #expect(!callers[2])
        #expect(seen[0] == callers)
        #expect(seen[1...2].allSatisfy { $0.allSatisfy { $0 } })
    }

    private func threadsOfThisProcess() throws -> Int {
        let directory = try #require(opendir("/proc/self/task"))
        defer { closedir(directory) }
        var count = 0
        while readdir(directory) != nil { count += 1 }
        return count
    }

    /// Hands a Compute to the one thread that uses it.
    private final class Own: @unchecked Sendable {
        let value: Compute
        init(_ value: Compute) { self.value = value }
    }

    /// One answer for each thread.
    private final class Flags: @unchecked Sendable {
        private let flags: UnsafeMutableBufferPointer<Bool>
        init(_ count: Int) {
            flags = .allocate(capacity: count)
            flags.initialize(repeating: false)
        }
        deinit { flags.deallocate() }
        func set(_ index: Int, _ flag: Bool) { flags[index] = flag }
        var all: Bool { flags.allSatisfy { $0 } }
    }
}
