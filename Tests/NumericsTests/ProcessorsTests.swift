import Numerics
import Testing

@Suite struct ProcessorsTests {
    private func available(_ files: [String: String], of processors: Int = 8) throws -> Int {
        try withMadeUpSystem(files) { Processors.available(root: $0, mayRunOn: processors) }
    }

    @Test(arguments: [
        ("max 100000", 8), ("100000 100000", 1), ("150000 100000", 2), ("200000 100000", 2), ("1000 100000", 1),
        ("900000 100000", 8), ("", 8), ("100000", 8), ("100000 0", 8),
    ]) func aQuotaIsRoundedUpToWholeProcessors(quota: String, expected: Int) throws {
        #expect(try available(["proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": quota + "\n"]) == expected)
        #expect(try available(["proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/unified/a/cpu.max": quota + "\n"]) == expected)
    }

    @Test func theTightestGroupOnTheWayToTheRootCounts() throws {
        let files = [
            "proc/self/cgroup": "0::/outer/inner\n", "sys/fs/cgroup/outer/inner/cpu.max": "500000 100000\n",
            "sys/fs/cgroup/outer/cpu.max": "300000 100000\n", "sys/fs/cgroup/other/cpu.max": "100000 100000\n",
        ]
        #expect(try available(files) == 3)
        #expect(try available(files, of: 2) == 2)
    }

    @Test(arguments: [("-1", 8), ("250000", 3), ("0", 8)]) func groupsOfTheFirstVersionCountToo(quota: String, expected: Int) throws {
        #expect(
            try available([
                "proc/self/cgroup": "7:cpu,cpuacct:/docker/abc\n6:cpuset:/\n",
                "sys/fs/cgroup/cpu/docker/abc/cpu.cfs_quota_us": quota + "\n",
                "sys/fs/cgroup/cpu/docker/abc/cpu.cfs_period_us": "100000\n",
            ]) == expected)
    }

    @Test func withoutGroupsItIsWhereTheProcessMayRun() throws {
        #expect(try available([:]) == 8)
        #expect(try available([:], of: 0) == 1)
    }
}
