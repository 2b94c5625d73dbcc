import Glibc

/// A fixed number of whole numbers in memory that is checked, all 0 at first: which rows are picked, or of what class they are.
///
/// An array of a length that the host chooses would end the process where the memory is refused.
package final class Indices {
    package let count: Int
    package let pointer: UnsafeMutablePointer<Int>

    /// - Throws: `outOfMemory`.
    package init(count: Int) throws {
        guard let memory = calloc(max(count, 1), MemoryLayout<Int>.stride) else {
            throw DaflError(.outOfMemory, "no memory for \(count) whole numbers")
        }
        pointer = memory.bindMemory(to: Int.self, capacity: max(count, 1))
        self.count = count
    }

    deinit { free(pointer) }

    package subscript(i: Int) -> Int {
        get { pointer[i] }
        set { pointer[i] = newValue }
    }

    package var array: [Int] { (0..<count).map { pointer[$0] } }

    package func load(_ other: Indices) {
        precondition(other.count == count)
        pointer.update(from: other.pointer, count: count)
    }
}

extension Philox {
    /// Writes 0..<count in random order (Fisher and Yates).
    package mutating func permute(_ order: Indices) {
        for i in 0..<order.count { order[i] = i }
        for i in stride(from: order.count - 1, to: 0, by: -1) {
            let other = next(below: i + 1)
            (order[i], order[other]) = (order[other], order[i])
        }
    }
}
