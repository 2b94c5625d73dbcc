/// Numbers in float64 of a fixed number, zero at first: sums by block or by class, which float32 would round too coarsely.
package final class Doubles {
    package let count: Int
    /// Valid as long as the object.
    package let pointer: UnsafeMutablePointer<Double>
    private let memory: UnsafeFloatMemory

    /// - Throws: `outOfMemory`.
    package init(count: Int) throws {
        memory = try UnsafeFloatMemory(count: 2 * count)
        pointer = UnsafeMutableRawPointer(memory.start).bindMemory(to: Double.self, capacity: max(count, 1))
        self.count = count
    }

    package subscript(i: Int) -> Double {
        get { pointer[i] }
        set { pointer[i] = newValue }
    }
}
