import LaneKernels

extension lane_walk {
    /// How many dimensions a walk through samples can have.
    package static let dimensions = 5

    /// A walk through the samples of batches.
    ///
    /// - Parameters:
    ///   - sizes: at most `dimensions`, from the outermost, without the blocks.
    ///   - a: the elements of the first array that a step along each dimension passes.
    ///   - aElements: the first array's elements in a sample; 0 where all blocks have the same.
    package init(blocks: Int, sizes: [Int], a: [Int], aElements: Int, b: [Int], bElements: Int) {
        precondition(sizes.count <= Self.dimensions && a.count == sizes.count && b.count == sizes.count)
        func all(_ first: Int, _ rest: [Int], missing: Int) -> (Int, Int, Int, Int, Int, Int) {
            let all = [first] + [Int](repeating: missing, count: Self.dimensions - rest.count) + rest
            return (all[0], all[1], all[2], all[3], all[4], all[5])
        }
        self.init(
            sizes: all(blocks, sizes, missing: 1), a: all(aElements, a, missing: 0), b: all(bElements, b, missing: 0))
    }
}

/// The elements that a step along each dimension passes in an array of these dimensions.
package func strides(of dimensions: [Int]) -> [Int] {
    var stride = 1
    return dimensions.reversed().map { size in
        defer { stride *= size }
        return stride
    }.reversed()
}
