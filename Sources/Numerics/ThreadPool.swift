import Glibc
import LaneKernels
import Synchronization

/// Threads that wait for work. `run` shares one piece of work among them and the calling thread, and returns when it is
/// done. A thread with nothing to do watches for a moment, since within a training step the next piece comes at once, and then
/// sleeps: so it does not keep a busy machine from its other work.
///
/// Each share is done by whoever is there first, so that a thread that the system does not let run holds nobody up.
/// One thread may call `run` at a time. The threads block all signals, so that the host's handlers run on its own.
final class ThreadPool {
    /// With the calling one.
    let threads: Int
    private let shared: Shared
    private let workers: [pthread_t]
    private let process = getpid()
    /// What the kernels need is a small part of it; what the host has set for its own threads may be very much or little.
    private static let stackSize = 1 << 20

    /// - Parameter threads: wanted; where the system refuses one, there are fewer.
    init(threads: Int) {
        var all = sigset_t()
        var before = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_BLOCK, &all, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        let shared = Shared()
        var workers: [pthread_t] = []
        while workers.count < threads - 1, let worker = Self.start(shared) { workers.append(worker) }
        shared.workers = workers.count
        self.shared = shared
        self.workers = workers
        self.threads = workers.count + 1
    }

    private static func start(_ shared: Shared) -> pthread_t? {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setstacksize(&attributes, stackSize)
        let argument = Unmanaged.passRetained(shared)
        var worker = pthread_t()
        let refused = pthread_create(
            &worker, &attributes,
            { argument in
                guard let argument else { return nil }
                Unmanaged<Shared>.fromOpaque(argument).takeRetainedValue().work()
                return nil
            }, argument.toOpaque())
        guard refused == 0 else {
            argument.release()
            return nil
        }
        return worker
    }

    deinit {
        guard process == getpid() else { return }
        shared.end()
        for worker in workers { pthread_join(worker, nil) }
    }

    /// Calls `body` with 0 to `shares - 1`, on this thread and others at the same time; with 0 on this one.
    func run(_ shares: Int, _ body: (Int) -> Void) {
        // After a fork the child has the handle but not the threads: it does their shares itself.
        guard process == getpid(), threads > 1 else { return (0..<shares).forEach(body) }
        withoutActuallyEscaping(body) { body in
            shared.publish(shares: shares, body)
            body(0)
            while shared.performShare() {}
            shared.waitUntilDone()
            shared.forget()
        }
    }

    /// What the threads share.
    private final class Shared: @unchecked Sendable {
        /// Set before the first round.
        var workers = 0
        /// Valid for whoever has taken a share until it has counted it as done.
        private var body: ((Int) -> Void)?
        /// The number of shares that nobody has taken, below the number of the round: a thread that comes late cannot take a
        /// share of another round than it saw.
        private let left = Atomic<UInt64>(0)
        private let unfinished = Atomic<Int>(0)
        private let hasEnded = Atomic<Bool>(false)
        private let sleepers = Atomic<Int>(0)
        private let callerSleeps = Atomic<Bool>(false)
        private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
        private let wake = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
        private let done = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
        private static let shareBits: UInt64 = 0xFFFF

        init() {
            pthread_mutex_init(mutex, nil)
            pthread_cond_init(wake, nil)
            pthread_cond_init(done, nil)
        }

        deinit {
            pthread_cond_destroy(done)
            pthread_cond_destroy(wake)
            pthread_mutex_destroy(mutex)
            done.deallocate()
            wake.deallocate()
            mutex.deallocate()
        }

        /// Leaves shares 1 to `shares - 1` to be taken, and wakes no more threads than they need.
        func publish(shares: Int, _ next: @escaping (Int) -> Void) {
            body = next
            unfinished.store(shares - 1, ordering: .relaxed)
            let round = (left.load(ordering: .relaxed) | Self.shareBits) &+ 1
            left.store(round | UInt64(shares - 1), ordering: .sequentiallyConsistent)
            // A thread counts itself among the sleepers before it looks for shares a last time: it is woken or it sees them.
            let asleep = sleepers.load(ordering: .sequentiallyConsistent)
            let wanted = min(asleep, shares - 1 - (workers - asleep))
            guard wanted > 0 else { return }
            pthread_mutex_lock(mutex)
            for _ in 0..<wanted { pthread_cond_signal(wake) }
            pthread_mutex_unlock(mutex)
        }

        func end() {
            hasEnded.store(true, ordering: .sequentiallyConsistent)
            pthread_mutex_lock(mutex)
            pthread_cond_broadcast(wake)
            pthread_mutex_unlock(mutex)
        }

        func forget() { body = nil }

        /// Does a share that nobody has taken. False when there is none.
        func performShare() -> Bool {
            var seen = left.load(ordering: .acquiring)
            while seen & Self.shareBits > 0 {
                let (isMine, now) = left.compareExchange(expected: seen, desired: seen - 1, ordering: .acquiringAndReleasing)
                if isMine {
                    call(share: Int(seen & Self.shareBits))
                    finish()
                    return true
                }
                seen = now
            }
            return false
        }

        /// Never inlined, so that no reference to the closure is left when the share counts as done.
        @inline(never)
        private func call(share: Int) { body?(share) }

        private func finish() {
            let before = unfinished.subtract(1, ordering: .sequentiallyConsistent).oldValue
            guard before == 1, callerSleeps.load(ordering: .sequentiallyConsistent) else { return }
            pthread_mutex_lock(mutex)
            pthread_cond_signal(done)
            pthread_mutex_unlock(mutex)
        }

        func waitUntilDone() {
            guard !watch(for: { unfinished.load(ordering: .acquiring) == 0 }) else { return }
            pthread_mutex_lock(mutex)
            callerSleeps.store(true, ordering: .sequentiallyConsistent)
            while unfinished.load(ordering: .sequentiallyConsistent) > 0 { pthread_cond_wait(done, mutex) }
            callerSleeps.store(false, ordering: .relaxed)
            pthread_mutex_unlock(mutex)
        }

        /// A worker's life.
        func work() {
            while !hasEnded.load(ordering: .acquiring) {
                guard !performShare(), !watch(for: { hasWork }) else { continue }
                pthread_mutex_lock(mutex)
                sleepers.add(1, ordering: .sequentiallyConsistent)
                while !hasWork { pthread_cond_wait(wake, mutex) }
                sleepers.subtract(1, ordering: .sequentiallyConsistent)
                pthread_mutex_unlock(mutex)
            }
        }

        /// Something to do, or the end.
        private var hasWork: Bool {
            left.load(ordering: .sequentiallyConsistent) & Self.shareBits > 0
                || hasEnded.load(ordering: .sequentiallyConsistent)
        }

        /// Looks again and again for some microseconds, about as long as falling asleep and being woken would take. False when
        /// it has not come.
        private func watch(for event: () -> Bool) -> Bool {
            let start = Self.now
            repeat {
                for _ in 0..<32 {
                    if event() { return true }
                    lane_pause()
                }
            } while Self.now &- start < 30_000
            return false
        }

        private static var now: Int {
            var time = timespec()
            clock_gettime(CLOCK_MONOTONIC, &time)
            return time.tv_sec &* 1_000_000_000 &+ time.tv_nsec
        }
    }
}
