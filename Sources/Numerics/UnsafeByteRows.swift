import LaneKernels

/// Rows of numbers kept in a byte each, as image files keep pixels: a quarter of what they take in float32.
///
/// A row has 256 evenly spaced values, from its least number to its largest; what is read differs from what was written by
/// half of such a step at most.
package final class ByteRows {
    package let count: Int
    package let elements: Int
    private let bytes: UnsafeMutablePointer<UInt8>  // [count, elements], in `memory`
    private let memory: UnsafeMemory
    private let ranges: UnsafeFloatMemory  // [count, 2]: the middle, the step

    /// All zeros.
    package init(count: Int, elements: Int) throws {
        let (size, overflow) = count.multipliedReportingOverflow(by: elements)
        guard !overflow else { throw DaflError(.outOfMemory, "\(count) rows of \(elements) are too large to address") }
        self.count = count
        self.elements = elements
        memory = try UnsafeMemory(UInt8.self, count: size, "bytes")
        bytes = memory.start.bindMemory(to: UInt8.self, capacity: max(size, 1))
        ranges = try UnsafeFloatMemory(count: 2 * count)
    }

    /// Writes rows, from the one at `start` on.
    package func store(_ rows: Tensor, at start: Int, _ compute: Compute) {
        let rowCount = rows.count / elements
        precondition(rows.count == rowCount * elements && start >= 0 && start + rowCount <= count)
        compute.parallel(rowCount) { range in
            compute.kernels.rows_to_bytes(
                rows.pointer, bytes + start * elements, ranges.start + 2 * start, elements, range.lowerBound,
                range.upperBound)
        }
    }

    /// The first rows.
    package func persist(_ archive: Archive, first rows: Int) {
        archive.numbers("ranges", [rows, 2], ranges.start)
        archive.numbers("bytes", [rows, elements], bytes)
    }

    /// Reads row `picks[i]` to row i of `rows`, for as many as `rows` has.
    package func load(_ picks: UnsafePointer<Int>, to rows: Tensor, _ compute: Compute) {
        let rowCount = rows.count / elements
        precondition(rows.count == rowCount * elements && (0..<rowCount).allSatisfy { (0..<count).contains(picks[$0]) })
        compute.parallel(rowCount) { range in
            compute.kernels.picked_bytes_to_rows(
                bytes, ranges.start, picks, rows.pointer, elements, range.lowerBound, range.upperBound)
        }
    }
}
