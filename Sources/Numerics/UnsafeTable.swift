/// Elements that a kernel reads, such as where the pixels of a convolution lie, or between which of an image lies each of another.
package final class Table<Element: BitwiseCopyable> {
    package let count: Int
    /// Valid as long as the table.
    package let pointer: UnsafeMutablePointer<Element>
    private let memory: UnsafeMemory

    /// - Throws: `outOfMemory`.
    package init(count: Int, _ element: (Int) -> Element) throws {
        memory = try UnsafeMemory(Element.self, count: count, "a table")
        pointer = memory.start.bindMemory(to: Element.self, capacity: max(count, 1))
        self.count = count
        for i in 0..<count { pointer[i] = element(i) }
    }
}
