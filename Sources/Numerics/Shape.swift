/// The sizes of an array, outermost first: [channels, height, width] of an image, [out, in, kh, kw] of a convolution's
/// weights. A batch's number of samples is not part of its shape.
package struct Shape: Equatable, Sendable, CustomStringConvertible {
    package let dimensions: [Int]
    /// The product of the dimensions.
    package let count: Int

    /// - Throws: `invalidArgument` when a dimension is below 1, `outOfMemory` when the product overflows.
    package init(_ dimensions: [Int]) throws {
        var count = 1
        for dimension in dimensions {
            guard dimension >= 1 else {
                throw DaflError.invalid("a dimension of shape \(dimensions)", dimension, "at least 1")
            }
            let (product, overflow) = count.multipliedReportingOverflow(by: dimension)
            guard !overflow else {
                throw DaflError(.outOfMemory, "shape \(dimensions) has more elements than an Int can count")
            }
            count = product
        }
        self.dimensions = dimensions
        self.count = count
    }

    package var rank: Int { dimensions.count }
    package subscript(i: Int) -> Int { dimensions[i] }
    package var description: String { "\(dimensions)" }

    /// Whether images of another shape can go in: their channels, height and width are the same, or one of both is a vector
    /// of as many numbers.
    package func takes(_ images: Shape) -> Bool {
        let (mine, theirs) = (channelsHeightWidth, images.channelsHeightWidth)
        return mine == theirs || (count == images.count && ((mine.height, mine.width) == (1, 1) || (theirs.height, theirs.width) == (1, 1)))
    }

    /// Channels, height and width; a flat vector of d numbers is d channels of one pixel, and dimensions behind the third are
    /// part of the width, so that the three multiply to `count`.
    package var channelsHeightWidth: (channels: Int, height: Int, width: Int) {
        (rank > 0 ? self[0] : 1, rank > 1 ? self[1] : 1, rank > 2 ? dimensions[2...].reduce(1, *) : 1)
    }
}
