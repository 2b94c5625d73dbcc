import LaneKernels
import Numerics
import Testing

@Suite struct LayoutKernelTests {
    /// matrix[e, 16 b + lane] = lanes[b, e, lane].
    @Test(arguments: [(1, 1), (17, 3), (40, 10)]) func matrixHoldsTheSamplesInColumns(samples: Int, elements: Int)
        throws
    {
        var random = Philox(seed: 1, stream: .check)
        let rows = Rows(samples: samples, [elements], from: &random)
        let lanes = try rows.batch()
        let (bias, columns) = (try Tensor((0..<elements).map(Double.init)), lanes.blocks * 16)
        for kernels in kernelSets {
            let (matrix, back) = (try Tensor([elements, columns]), try Batch(samples: samples, shape: lanes.shape))
            kernels.lanes_to_matrix(lanes.pointer, matrix.pointer, lanes.blocks, elements)
            for n in 0..<samples {
                for e in 0..<elements { #expect(matrix[e * columns + n] == lanes[n, e]) }
            }
            kernels.matrix_to_lanes(matrix.pointer, nil, back.pointer, lanes.blocks, elements)
            #expect(Rows(back).values == rows.values)
            kernels.matrix_to_lanes(matrix.pointer, bias.pointer, back.pointer, lanes.blocks, elements)
            for n in 0..<samples {
                for e in 0..<elements { #expect(back[n, e] == lanes[n, e] + Float(e)) }
            }
        }
    }

    /// Maps that end in the image, past all its edges and far away, on images of one channel and of three.
    @Test(arguments: [(1, 5, 7), (3, 4, 4), (2, 1, 6), (1, 1, 1)])
    func warpInterpolatesWithinAndRepeatsTheEdgeOutside(channels: Int, height: Int, width: Int) throws {
        var random = Philox(seed: 2, stream: .check)
        let samples = 6
        let images = Rows(samples: samples, [channels, height, width], from: &random)
        var maps: [Float] = [0, 1, 0, 0, 0, 1]  // the first stays as it is
        maps += [1, 1, 0, -2, 0, 1]  // the second moves by whole pixels
        maps += [1e9, 1, 0, -1e9, 0, 1]  // the third shows one corner
        for _ in 3..<samples {
            maps += [1, 1, 0.3, 1, 0.3, 1].map { $0 * random.nextNormal() }
        }
        var expected = images
        Reference.eachPixel(images) { n, c, i, j in
            let m = maps[6 * n..<6 * n + 6].map(Double.init)
            let (y, x) = (m[0] + m[1] * Double(i) + m[2] * Double(j), m[3] + m[4] * Double(i) + m[5] * Double(j))
            expected[n, c, i, j] = sampled(images, n, c, y, x)
        }
        let from = images.values.map { Float($0) }
        for kernels in kernelSets {
            var to = [Float](repeating: .nan, count: from.count)
            kernels.warp(from, &to, maps, channels, height, width, 2, samples)
            #expect(to[..<(2 * images.elements)].allSatisfy { $0.isNaN })
            kernels.warp(from, &to, maps, channels, height, width, 0, 2)
            #expect(Array(to[..<images.elements]) == Array(from[..<images.elements]))
            expectClose(to.map(Double.init), expected.values, "\(kernels.title): warped")
        }
    }

    @Test(arguments: [(1, 5, 7), (3, 4, 4), (2, 1, 6), (2, 6, 1), (1, 3, 2), (1, 1, 1), (1, 9, 40)])
    func smoothBlendsWithTheMeanAround(channels: Int, height: Int, width: Int) throws {
        var random = Philox(seed: 2, stream: .check)
        let samples = 4
        let images = Rows(samples: samples, [channels, height, width], from: &random)
        let shares: [Float] = [0, 0.25, 0.8, 1]
        var expected = images
        Reference.eachPixel(images) { n, c, i, j in
            var sum = 0.0
            for u in -1...1 {
                for v in -1...1 { sum += images[n, c, min(max(i + u, 0), height - 1), min(max(j + v, 0), width - 1)] }
            }
            let share = Double(shares[n])
            expected[n, c, i, j] = (1 - share) * images[n, c, i, j] + share * sum / 9
        }
        let from = images.values.map { Float($0) }
        for kernels in kernelSets {
            var to = [Float](repeating: .nan, count: from.count)
            kernels.smooth(from, &to, shares, channels, height, width, 2, samples)
            #expect(to[..<(2 * images.elements)].allSatisfy { $0.isNaN })
            kernels.smooth(from, &to, shares, channels, height, width, 0, 2)
            expectClose(to.map(Double.init), expected.values, "\(kernels.title): smoothed")
        }
    }

    /// Weighs the pixels by a tent of width 1 around (y, x), brought into the image first.
    private func sampled(_ images: Rows, _ n: Int, _ c: Int, _ y: Double, _ x: Double) -> Double {
        let (y, x) = (min(max(y, 0), Double(images.height - 1)), min(max(x, 0), Double(images.width - 1)))
        var sum = 0.0
        for i in 0..<images.height {
            for j in 0..<images.width {
                sum += images[n, c, i, j] * max(0, 1 - abs(y - Double(i))) * max(0, 1 - abs(x - Double(j)))
            }
        }
        return sum
    }
}
