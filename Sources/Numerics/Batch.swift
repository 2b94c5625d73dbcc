/// The samples of one batch in lane order: [ceil(samples / 16)][shape...][16].
///
/// Sixteen samples lie side by side, one in each lane of a vector, so every layer works on sixteen samples at once. A group
/// of sixteen is a block. The lanes past the last sample hold zeros in network inputs and in gradients.
package final class Batch {
    package let samples: Int
    package let shape: Shape
    /// Floats in memory, unused lanes included: a multiple of 16.
    package let count: Int
    /// Valid as long as the batch.
    package let pointer: UnsafeMutablePointer<Float>
    private let memory: UnsafeFloatMemory

    package static let lanes = 16

    /// All zeros.
    package convenience init(samples: Int, shape: Shape) throws {
        let memory = try UnsafeFloatMemory(count: Self.floats(samples: samples, shape: shape))
        self.init(samples: samples, shape: shape, in: memory, at: 0)
    }

    /// In memory that other batches use too, at other times or in other places.
    package init(samples: Int, shape: Shape, in memory: UnsafeFloatMemory, at start: Int) {
        (self.samples, self.shape, self.memory) = (samples, shape, memory)
        count = Self.blocks(of: samples) * shape.count * Self.lanes
        precondition(start >= 0 && start + count <= memory.count)
        pointer = memory.start + start
    }

    /// The same samples in another shape, in the same memory.
    package init(viewing other: Batch, as shape: Shape) {
        precondition(shape.count == other.elements)
        (samples, self.shape, memory, count, pointer) = (other.samples, shape, other.memory, other.count, other.pointer)
    }

    /// How many floats so many samples take.
    /// - Throws: `outOfMemory` when they cannot be addressed.
    package static func floats(samples: Int, shape: Shape) throws -> Int {
        let (vectors, tooManyVectors) = blocks(of: samples).multipliedReportingOverflow(by: shape.count)
        let (count, tooManyFloats) = vectors.multipliedReportingOverflow(by: lanes)
        guard !tooManyVectors, !tooManyFloats else {
            throw DaflError(.outOfMemory, "a batch of \(samples) samples of shape \(shape) is too large to address")
        }
        return count
    }

    /// How many blocks hold so many samples.
    package static func blocks(of samples: Int) -> Int { samples / lanes + (samples % lanes == 0 ? 0 : 1) }

    package var blocks: Int { Self.blocks(of: samples) }
    /// Numbers in one sample.
    package var elements: Int { shape.count }

    /// One number of one sample.
    package subscript(sample: Int, element: Int) -> Float {
        get { pointer[index(sample, element)] }
        set { pointer[index(sample, element)] = newValue }
    }

    private func index(_ sample: Int, _ element: Int) -> Int {
        (sample / Self.lanes * elements + element) * Self.lanes + sample % Self.lanes
    }

    /// Whether no number is infinite or NaN, unused lanes included.
    package var isFinite: Bool { UnsafeFloatMemory.isFinite(pointer, count) }

    package func fill(_ value: Float) {
        pointer.update(repeating: value, count: count)
    }

    package func load(_ other: Batch) {
        precondition(other.count == count)
        pointer.update(from: other.pointer, count: count)
    }

    package func add(_ other: Batch, times factor: Float) {
        precondition(other.count == count)
        for i in 0..<count { pointer[i] += factor * other.pointer[i] }
    }

    /// From rows [samples, elements].
    package func load(rows: UnsafePointer<Float>, _ compute: Compute) {
        loadRows(rows, picks: nil, compute)
    }

    /// Sample i from row `picks[i]` of rows [any, elements].
    package func load(rows: UnsafePointer<Float>, picks: UnsafePointer<Int>, _ compute: Compute) {
        loadRows(rows, picks: picks, compute)
    }

    private func loadRows(_ rows: UnsafePointer<Float>, picks: UnsafePointer<Int>?, _ compute: Compute) {
        compute.parallel(blocks) { range in
            compute.kernels.picked_rows_to_lanes(
                rows, picks, pointer, samples, elements, range.lowerBound, range.upperBound)
        }
    }

    /// To rows [samples, elements].
    package func store(rows: UnsafeMutablePointer<Float>, _ compute: Compute) {
        compute.parallel(blocks) { range in
            compute.kernels.lanes_to_rows(pointer, rows, samples, elements, range.lowerBound, range.upperBound)
        }
    }
}
