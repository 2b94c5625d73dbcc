import LaneKernels

/// The processors that this process may use.
package enum Processors {
    /// How many: those it may run on, or fewer when a control group grants it less of their time, as containers are bounded.
    /// At least 1.
    /// - Parameter root: where `proc` and `sys` are: "" for those of this machine.
    package static func available(root: String = "", mayRunOn processors: Int = Int(lane_available_processors())) -> Int {
        let groups = ControlGroups(root: root)
        let shares = groups.found(share) + groups.found("cpu", shareOfVersion1)
        return max(1, shares.reduce(processors, min))
    }

    /// "150000 100000": so many microseconds of every so many; "max" for no bound.
    private static func share(of folder: String) -> Int? {
        let words = (textFile("\(folder)/cpu.max") ?? "").split { $0.isWhitespace }
        guard words.count == 2, let quota = Int(words[0]), let period = Int(words[1]) else { return nil }
        return processors(quota: quota, period: period)
    }

    private static func shareOfVersion1(of folder: String) -> Int? {
        guard let quota = numberFile("\(folder)/cpu.cfs_quota_us"), let period = numberFile("\(folder)/cpu.cfs_period_us")
        else { return nil }
        return processors(quota: quota, period: period)
    }

    /// Part of a processor's time is worth a thread. A quota of -1 is none.
    private static func processors(quota: Int, period: Int) -> Int? {
        quota > 0 && period > 0 ? (quota - 1) / period + 1 : nil
    }
}
