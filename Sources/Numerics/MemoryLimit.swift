import Glibc
import Synchronization

/// How much memory for numbers the library may hold.
///
/// Linux promises memory that it does not have, and ends a process that uses it. So all that the library allocates is counted
/// here, and refused when its sum is more than the machine, or the control group that the process is in, can hold.
package final class MemoryLimit: Sendable {
    package static let process = MemoryLimit(root: "")

    /// The least of the machine's memory and the bounds of all the control groups that the process is in.
    package let bytes: Int
    private let taken = Atomic<Int>(0)
    private let root: String

    /// - Parameter root: where `proc` and `sys` are: "" for those of this machine.
    package init(root: String) {
        self.root = root
        let machine = namedNumber("MemTotal", in: "\(root)/proc/meminfo") ?? .max
        bytes = Self.groups(root).reduce(machine) { min($0, $1.limit) }
    }

    /// Bytes that were taken and not given back.
    package var inUse: Int { taken.load(ordering: .relaxed) }

    /// Counts bytes that are about to be allocated.
    /// - Throws: `outOfMemory`, naming `purpose`, when the sum would be above the limit.
    func take(_ size: Int, for purpose: () -> String) throws {
        var before = inUse
        while true {
            guard size <= bytes - before else {
                throw DaflError(
                    .outOfMemory,
                    "no memory for \(purpose()): \(Self.megabytes(size)) MB are wanted, \(Self.megabytes(before)) MB in use by "
                        + "the library, and \(Self.megabytes(bytes)) MB all that this process may have")
            }
            let (done, now) = taken.weakCompareExchange(expected: before, desired: before + size, ordering: .relaxed)
            if done { return }
            before = now
        }
    }

    func giveBack(_ size: Int) {
        taken.subtract(size, ordering: .relaxed)
    }

    /// Bytes that the process may take now before the machine, a control group or a limit set for the process is in the way;
    /// what other processes take meanwhile comes off it.
    package var available: Int {
        let machine = namedNumber("MemAvailable", in: "\(root)/proc/meminfo") ?? .max
        let groups = Self.groups(root).map { $0.limit - $0.used }
        let limits = [(RLIMIT_AS, "VmSize"), (RLIMIT_DATA, "VmData")].map { limit, name in
            var bounds = rlimit()
            guard getrlimit(__rlimit_resource_t(limit.rawValue), &bounds) == 0, let most = Int(exactly: bounds.rlim_cur)
            else { return Int.max }
            return most - (namedNumber(name, in: "\(root)/proc/self/status") ?? 0)
        }
        return max(0, ([bytes - inUse, machine] + groups + limits).reduce(.max, min))
    }

    private static func megabytes(_ bytes: Int) -> Int { bytes / 1_000_000 + (bytes % 1_000_000 > 0 ? 1 : 0) }

    /// Bounds of the process's control groups, and what is used of them. Files that the system keeps in memory without need are
    /// not counted: they go when others need the room.
    private static func groups(_ root: String) -> [(limit: Int, used: Int)] {
        func group(_ folder: String, _ limit: String, _ usage: String, _ cache: String) -> (limit: Int, used: Int)? {
            guard let limit = numberFile("\(folder)/\(limit)") else { return nil }
            let usage = numberFile("\(folder)/\(usage)") ?? 0
            return (limit, max(0, usage - (namedNumber(cache, in: "\(folder)/memory.stat") ?? 0)))
        }
        let groups = ControlGroups(root: root)
        return groups.found { group($0, "memory.max", "memory.current", "inactive_file") }
            + groups.found("memory") {
                group($0, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            }
    }
}
