/// Whole numbers of a fixed number, such as picks of rows or the labels of a batch, zero at first.
///
///     let order = try Indices(count: images)
///     random.permute(order)
///     batch.load(rows: rows, picks: order.pointer + start, compute)
///
/// An array whose length a host chooses must not be one of Swift's, which end the process when memory is refused.
package final class Indices {
    package let count: Int
    /// Valid as long as the object.
    package let pointer: UnsafeMutablePointer<Int>
    private let memory: UnsafeMemory

    /// - Throws: `outOfMemory`.
    package init(count: Int) throws {
        memory = try UnsafeMemory(Int.self, count: count, "indices")
        pointer = memory.start.bindMemory(to: Int.self, capacity: max(count, 1))
        self.count = count
    }

    package subscript(i: Int) -> Int {
        get {
            precondition((0..<count).contains(i))
            return pointer[i]
        }
        set {
            precondition((0..<count).contains(i))
            pointer[i] = newValue
        }
    }
}
