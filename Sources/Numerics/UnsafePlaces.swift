import LaneKernels

/// For each row or column of an image, between which two of another image's it lies.
package final class Places {
    package let count: Int
    /// Valid as long as the object.
    package let pointer: UnsafeMutablePointer<lane_between>
    private let memory: UnsafeMemory

    /// - Throws: `outOfMemory`.
    package init(count: Int, _ place: (Int) -> lane_between) throws {
        memory = try UnsafeMemory(lane_between.self, count: count, "places")
        pointer = memory.start.bindMemory(to: lane_between.self, capacity: max(count, 1))
        self.count = count
        for i in 0..<count { pointer[i] = place(i) }
    }
}
