import LaneKernels
import Numerics
import Testing

@Suite struct LayoutKernelTests {
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
        let (shares, factors): ([Float], [Float]) = ([0, 0.25, 0.8, 1], [1, -1, 1, 0.5])
        var expected = images
        Reference.eachPixel(images) { n, c, i, j in
            var sum = 0.0
            for u in -1...1 {
                for v in -1...1 { sum += images[n, c, min(max(i + u, 0), height - 1), min(max(j + v, 0), width - 1)] }
            }
            let (share, factor) = (Double(shares[n]), Double(factors[n]))
            expected[n, c, i, j] = factor * ((1 - share) * images[n, c, i, j] + share * sum / 9)
        }
        let from = images.values.map { Float($0) }
        for kernels in kernelSets {
            var to = [Float](repeating: .nan, count: from.count)
            kernels.smooth(from, &to, shares, factors, channels, height, width, 2, samples)
            #expect(to[..<(2 * images.elements)].allSatisfy { $0.isNaN })
            kernels.smooth(from, &to, shares, factors, channels, height, width, 0, 2)
            expectClose(to.map(Double.init), expected.values, "\(kernels.title): smoothed")
        }
    }

    @Test(arguments: [1, 2, 15, 100]) func bytesAreHalfAStepOff(elements: Int) throws {
        var random = Philox(seed: 3, stream: .check)
        let count = 7
        let rows = (0..<count * elements).map { Float(1 + $0 / elements) * random.nextNormal() }
        let picks = [3, 6, 1, 3]
        for kernels in kernelSets {
            var (bytes, ranges) = ([UInt8](repeating: 7, count: rows.count), [Float](repeating: -1, count: 2 * count))
            kernels.rows_to_bytes(rows, &bytes, &ranges, elements, 2, count)
            #expect(bytes[..<(2 * elements)].allSatisfy { $0 == 7 } && ranges[..<4].allSatisfy { $0 == -1 })
            kernels.rows_to_bytes(rows, &bytes, &ranges, elements, 0, 2)
            var back = [Float](repeating: .nan, count: picks.count * elements)
            kernels.picked_bytes_to_rows(bytes, ranges, picks, &back, elements, 0, 1)
            #expect(back[elements...].allSatisfy { $0.isNaN })
            kernels.picked_bytes_to_rows(bytes, ranges, picks, &back, elements, 1, picks.count)
            for (i, pick) in picks.enumerated() {
                let row = rows[pick * elements..<(pick + 1) * elements]
                let (least, largest) = (try #require(row.min()), try #require(row.max()))
                let halfAStep = (largest - least) / 510
                for (wrote, read) in zip(row, back[i * elements..<(i + 1) * elements]) {
                    #expect(abs(wrote - read) <= 1.001 * halfAStep + 1e-6, "\(kernels.title)")
                    if wrote == least || wrote == largest { #expect(abs(wrote - read) <= 1e-5 * (largest - least + 1)) }
                }
            }
        }
    }

    @Test func bytesTakeWhateverNumbers() {
        let largest = Float.greatestFiniteMagnitude
        let rows: [[Float]] = [
            [3, 3, 3], [-largest, 0, largest], [1e-45, 0, 1e-44], [.infinity, 0, 1], [-.infinity, 0, 1], [.nan, 0, 1],
        ]
        for kernels in kernelSets {
            var (bytes, ranges) = ([UInt8](repeating: 0, count: 18), [Float](repeating: 0, count: 12))
            kernels.rows_to_bytes(rows.flatMap { $0 }, &bytes, &ranges, 3, 0, 6)
            var back = [Float](repeating: .nan, count: 18)
            kernels.picked_bytes_to_rows(bytes, ranges, Array(0..<6), &back, 3, 0, 6)
            #expect(Array(back[..<3]) == rows[0], "\(kernels.title)")
            for (wrote, read) in zip(rows[1], back[3..<6]) { #expect(abs(wrote / largest - read / largest) < 1.0 / 250) }
            #expect(back[6..<9].allSatisfy { (0...1e-44).contains($0) })
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
