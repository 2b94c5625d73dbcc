@testable import Numerics
import Testing

@Suite struct MemoryLimitTests {
    private static let machine = "MemTotal:       16000 kB\nMemFree:  10 kB\nMemAvailable:    8000 kB\n"

    private func expect(bytes: Int, available: Int, _ files: [String: String]) throws {
        let files = files.merging(["proc/meminfo": Self.machine]) { own, _ in own }
        try withMadeUpSystem(files) { root in
            let limit = MemoryLimit(root: root)
            #expect(limit.bytes == bytes)
            #expect(limit.available == available)
        }
    }

    @Test func withoutGroupsTheMachineIsTheLimit() throws {
        try expect(bytes: 16000 * 1024, available: 8000 * 1024, ["proc/self/cgroup": "0::/\n"])
    }

    /// A service of 3 MB in a slice of 2 MB has 2 MB.
    @Test(arguments: ["sys/fs/cgroup", "sys/fs/cgroup/unified"]) func anyGroupOnTheWayToTheRootBounds(mount: String) throws {
        try expect(
            bytes: 2_000_000, available: 2_000_000 - 1_500_000 + 200_000,
            [
                "proc/self/cgroup": "4:cpu,cpuacct:/\n0::/outer/inner\n",
                "\(mount)/outer/inner/memory.max": "3000000\n", "\(mount)/outer/inner/memory.current": "100\n",
                "\(mount)/outer/memory.max": "2000000\n", "\(mount)/outer/memory.current": "1500000\n",
                "\(mount)/outer/memory.stat": "anon 7\ninactive_file 200000\nactive_file 9\n",
                "\(mount)/memory.max": "max\n",
            ])
    }

    @Test func groupsOfTheFirstVersionBoundToo() throws {
        try expect(
            bytes: 5_000_000, available: 4_000_000,
            [
                "proc/self/cgroup": "5:devices:/other\n4:memory:/docker/abc\n0::/\n",
                // Within the container its own group is the root.
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "5000000\n",
                "sys/fs/cgroup/memory/memory.usage_in_bytes": "1000000\n",
                "sys/fs/cgroup/devices/other/memory.limit_in_bytes": "1\n",
            ])
    }

    @Test(arguments: ["", "0::\n", "nonsense", "0::/../..\n", "4:memory\n"]) func whatCannotBeReadDoesNotBound(groups: String) throws {
        try expect(bytes: 16000 * 1024, available: 8000 * 1024, ["proc/self/cgroup": groups])
    }

    @Test func theSumOfAllThatIsTakenStaysWithinTheLimit() throws {
        try withMadeUpSystem(["proc/meminfo": "MemTotal: 1000 kB\nMemAvailable: 1000 kB\n"]) { root in
            let limit = MemoryLimit(root: root)
            try limit.take(1000) { "" }
            try limit.take(1_000_000) { "" }
            #expect(limit.available == 1000 * 1024 - 1_001_000)
            let error = #expect(throws: DaflError.self) { try limit.take(30_000) { "99 things" } }
            #expect(error?.status == .outOfMemory)
            #expect(
                error?.description == "no memory for 99 things: 1 MB are wanted, 2 MB in use by the library, and 2 MB all "
                    + "that this process may have")
            #expect(limit.inUse == 1_001_000)  // what was refused is not counted
            limit.giveBack(1_000_000)
            try limit.take(30_000) { "" }
            #expect(throws: DaflError.self) { try limit.take(.max) { "" } }
        }
    }

    @Test func theProcessHasWhatTheMachineHasOrLess() {
        #expect(MemoryLimit.process.bytes > 1 << 20)
        #expect(MemoryLimit.process.available <= MemoryLimit.process.bytes)
    }

    /// Each of them fits; both do not.
    @Test func memoryIsRefusedInSum() throws {
        let half = try UnsafeFloatMemory(count: MemoryLimit.process.bytes / 4 / 5 * 3)
        #expect(throws: DaflError.self) { try UnsafeFloatMemory(count: half.count) }
        #expect(throws: DaflError.self) { try ByteRows(count: half.count, elements: 4) }
        #expect(throws: DaflError.self) { try Indices(count: half.count / 2) }
    }
}
