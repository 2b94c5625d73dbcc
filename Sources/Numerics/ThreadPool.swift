import Glibc
import Synchronization

/// Threads that wait for work. `run` shares one piece of work among them and the calling thread, and returns when it is
/// done. Idle threads sleep, after a moment of watching for the next piece, which within a training step comes at once.
///
/// One thread may call `run` at a time. The threads block all signals, so that the host's handlers run on its own.
final class ThreadPool {
    let threads: Int
    private let shared: Shared
    private var workers: [pthread_t] = []
    private let process = getpid()

    /// - Throws: `outOfMemory` when the system refuses a thread.
    init(threads: Int) throws {
        self.threads = threads
        shared = Shared(workers: threads - 1)
        var all = sigset_t()
        var before = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_BLOCK, &all, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        for index in stride(from: 1, to: threads, by: 1) {
            let start = Unmanaged.passRetained(WorkerStart(shared: shared, index: index))
            var worker = pthread_t()
            let result = pthread_create(
                &worker, nil,
                { argument in
                    guard let argument else { return nil }
                    let start = Unmanaged<WorkerStart>.fromOpaque(argument).takeRetainedValue()
                    start.shared.work(as: start.index)
                    return nil
                }, start.toOpaque())
            guard result == 0 else {
                start.release()
                stop()
                throw DaflError(.outOfMemory, "the system refused thread \(index + 1) of \(threads)")
            }
            workers.append(worker)
        }
    }

    deinit { stop() }

    private func stop() {
        guard process == getpid() else { return }
        shared.publish(nil)
        for worker in workers { pthread_join(worker, nil) }
        workers = []
    }

    /// Calls `body(0)` on this thread and `body(1)` to `body(shares - 1)` on others, at the same time.
    func run(_ shares: Int, _ body: (Int) -> Void) {
        // After a fork the child has the handle but not the threads: it does their shares itself.
        guard process == getpid() else { return (0..<shares).forEach(body) }
        withoutActuallyEscaping(body) { body in
            shared.publish(Work(shares: shares, body: body))
            body(0)
            shared.waitUntilDone()
            shared.forget()
        }
    }

    private struct Work {
        let shares: Int
        let body: (Int) -> Void
    }

    private final class WorkerStart {
        let shared: Shared
        let index: Int
        init(shared: Shared, index: Int) {
            self.shared = shared
            self.index = index
        }
    }

    /// What the threads share. `round` counts pieces of work and is written last, so a thread that sees a new round sees
    /// its work.
    private final class Shared: @unchecked Sendable {
        private var work: Work?
        private let round = Atomic<Int>(0)
        private let unfinished = Atomic<Int>(0)
        private let sleepers = Atomic<Int>(0)
        private let workers: Int
        private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
        private let wake = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
        private static let watchingTurns = 4000

        init(workers: Int) {
            self.workers = workers
            pthread_mutex_init(mutex, nil)
            pthread_cond_init(wake, nil)
        }

        deinit {
            pthread_cond_destroy(wake)
            pthread_mutex_destroy(mutex)
            wake.deallocate()
            mutex.deallocate()
        }

        /// nil tells the workers to end.
        func publish(_ next: Work?) {
            work = next
            unfinished.store(workers, ordering: .relaxed)
            round.add(1, ordering: .sequentiallyConsistent)
            if sleepers.load(ordering: .sequentiallyConsistent) > 0 {
                pthread_mutex_lock(mutex)
                pthread_cond_broadcast(wake)
                pthread_mutex_unlock(mutex)
            }
        }

        func waitUntilDone() {
            var turns = 0
            while unfinished.load(ordering: .acquiring) > 0 {
                turns += 1
                if turns > Self.watchingTurns { sched_yield() }
            }
        }

        func forget() { work = nil }

        func work(as index: Int) {
            var seen = 0
            repeat { seen = waitForRound(after: seen) } while perform(share: index)
        }

        /// False when the work is to end.
        private func perform(share index: Int) -> Bool {
            guard call(share: index) else { return false }
            unfinished.subtract(1, ordering: .releasing)
            return true
        }

        /// Never inlined, so that no reference to the closure is left when `unfinished` counts down.
        @inline(never)
        private func call(share index: Int) -> Bool {
            guard let work else { return false }
            if index < work.shares { work.body(index) }
            return true
        }

        private func waitForRound(after seen: Int) -> Int {
            for _ in 0..<Self.watchingTurns {
                let now = round.load(ordering: .acquiring)
                if now != seen { return now }
            }
            pthread_mutex_lock(mutex)
            sleepers.add(1, ordering: .sequentiallyConsistent)
            while round.load(ordering: .sequentiallyConsistent) == seen { pthread_cond_wait(wake, mutex) }
            sleepers.subtract(1, ordering: .sequentiallyConsistent)
            pthread_mutex_unlock(mutex)
            return round.load(ordering: .acquiring)
        }
    }
}
