/// Numbers in float64 of a fixed number, zero at first: sums by block or by class, which float32 would round too coarsely.
package final class Doubles {
    package let count: Int
    /// Valid as long as the object.
    package let pointer: UnsafeMutablePointer<Double>
    private let memory: UnsafeMemory

    /// - Throws: `outOfMemory`.
    package init(count: Int) throws {
        memory = try UnsafeMemory(Double.self, count: count, "sums")
        pointer = memory.start.bindMemory(to: Double.self, capacity: max(count, 1))
        self.count = count
    }

    package subscript(i: Int) -> Double {
        get { pointer[i] }
        set { pointer[i] = newValue }
    }
}
