import LaneKernels
import Numerics
import Testing

@Suite struct PoolingKernelTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let samples: Int
        let shape: lane_pooling

        init(samples: Int, _ shape: lane_pooling) {
            self.samples = samples
            self.shape = shape
        }

        init(samples: Int, channels: Int, height: Int, width: Int, window: Int, stride: Int) {
            self.init(
                samples: samples,
                lane_pooling(
                    channels: channels, height: height, width: width, window: (window, window),
                    strides: (stride, stride)))
        }

        var testDescription: String {
            """
            \(samples) x [\(shape.channels), \(shape.input_height), \(shape.input_width)] to \
            [\(shape.output_height), \(shape.output_width)], window \(shape.window_y) x \(shape.window_x), stride \
            \(shape.stride_y) x \(shape.stride_x), padding \(shape.padding_top), \(shape.padding_left), \
            \(shape.padding_bottom), \(shape.padding_right)\(shape.counts_padding != 0 ? " counted" : "")\
            \(shape.rectifies != 0 ? ", rectifies" : "")
            """
        }

        /// Numbers for the shape's input.
        func input(from random: inout Philox) -> Rows {
            Rows(samples: samples, [shape.channels, shape.input_height, shape.input_width], from: &random)
        }
    }

    static let cases =
        [
            Case(samples: 1, channels: 1, height: 2, width: 2, window: 2, stride: 2),
            Case(samples: 17, channels: 3, height: 6, width: 4, window: 2, stride: 2),
            Case(samples: 16, channels: 2, height: 7, width: 5, window: 3, stride: 2),
            Case(samples: 5, channels: 1, height: 5, width: 6, window: 3, stride: 1),
            Case(samples: 33, channels: 4, height: 5, width: 7, window: 2, stride: 3),
            Case(samples: 3, channels: 9, height: 4, width: 4, window: 4, stride: 4),
            Case(samples: 20, channels: 2, height: 3, width: 3, window: 1, stride: 1),
            Case(
                samples: 18,
                lane_pooling(channels: 3, height: 5, width: 7, window: (5, 7), strides: (1, 1))),
            Case(
                samples: 2,
                lane_pooling(
                    channels: 2, height: 5, width: 7, window: (3, 3), strides: (2, 2), paddings: (1, 1, 1, 1))),
            Case(
                samples: 3,
                lane_pooling(
                    channels: 2, height: 1, width: 2, window: (1, 2), strides: (2, 3), paddings: (2, 3, 3, 4),
                    countsPadding: true)),  // windows without any pixel
        ] + randomCases

    static let randomCases: [Case] = {
        var random = Philox(seed: 4, stream: .check)
        return (0..<96).map { i in
            let window = i % 4 == 0 ? (3, 3) : i % 4 == 1 ? (2, 2) : (1 + random.next(below: 4), 1 + random.next(below: 5))
            let size = (max(1, window.0 - 1) + random.next(below: 6), max(1, window.1 - 1) + random.next(below: 8))
            // In every third case so much that a window may have no pixel of the input.
            func padding(_ window: Int) -> Int { random.next(below: (window + 1) / 2 + (i % 3 == 0 ? window / 2 : 0)) }
            let paddings = (padding(window.0), padding(window.1), max(1, window.0 / 2), max(1, window.1 / 2))
            return Case(
                samples: [1, 5, 16, 17][random.next(below: 4)],
                lane_pooling(
                    channels: 1 + random.next(below: 4), height: size.0, width: size.1, window: window,
                    strides: (1 + random.next(below: 4), 1 + random.next(below: 4)), paddings: paddings,
                    roundsUp: random.next(below: 2) == 0, countsPadding: random.next(below: 2) == 0,
                    rectifies: random.next(below: 4) == 0))
        }
    }()

    @Test(arguments: cases) func maxAndItsGradientAreTheDefinition(_ c: Case) throws {
        var random = Philox(seed: 1, stream: .check)
        var shape = c.shape
        // Small whole numbers, so that many windows hold their maximum more than once.
        let x = c.input(from: &random).map { $0.rounded() }
        let y = Reference.maxPooling(x, shape)
        let dy = Rows(samples: c.samples, y.dimensions, from: &random)
        let dx = Reference.maxPoolingGradient(x, dy, shape)
        for kernels in kernelSets {
            let (xLanes, dyLanes) = (try x.batch(), try dy.batch())
            let (yLanes, dxLanes) = (try y.batch(), try x.batch())
            yLanes.fill(.nan)
            dxLanes.fill(.nan)
            let middle = part(of: xLanes.blocks)
            for (first, end) in [(middle, xLanes.blocks), (0, middle)] {
                kernels.max_pool(&shape, xLanes.pointer, yLanes.pointer, first, end)
                kernels.max_pool_gradient(
                    &shape, xLanes.pointer, yLanes.pointer, dyLanes.pointer, dxLanes.pointer, first, end)
            }
            #expect(Rows(yLanes).values == y.values, "\(kernels.title)")
            expectClose(dxLanes, dx, "\(kernels.title): dx")
            #expect(dxLanes.unusedLanes.allSatisfy { $0 == 0 })
        }
    }

    @Test func theFirstOfEqualMaximaTakesTheGradient() throws {
        var shape = Case(samples: 1, channels: 1, height: 2, width: 2, window: 2, stride: 2).shape
        let patterns: [([Double], winner: Int)] = [
            ([5, 5, 5, 5], 0), ([1, 5, 5, 5], 1), ([1, 1, 5, 5], 2), ([5, 1, 1, 5], 0), ([-2, -3, -2, -2], 0),
            ([0, 0, 0, 0], 0),
        ]
        for kernels in kernelSets {
            for (pixels, winner) in patterns {
                let x = try Rows(samples: 1, [1, 2, 2], pixels).batch()
                let (y, dx) = (try Rows(samples: 1, [1, 1, 1]).batch(), try Batch(samples: 1, shape: x.shape))
                let dy = try Rows(samples: 1, [1, 1, 1], [7]).batch()
                kernels.max_pool(&shape, x.pointer, y.pointer, 0, 1)
                kernels.max_pool_gradient(&shape, x.pointer, y.pointer, dy.pointer, dx.pointer, 0, 1)
                #expect(Rows(dx).values == (0..<4).map { $0 == winner ? 7 : 0 })
            }
        }
    }

    @Test(arguments: cases.filter { $0.shape.rectifies == 0 }) func averageAndItsGradientAreTheDefinition(_ c: Case) throws {
        var random = Philox(seed: 2, stream: .check)
        var shape = c.shape
        let x = c.input(from: &random)
        let y = Reference.averagePooling(x, shape)
        let dy = Rows(samples: c.samples, y.dimensions, from: &random)
        let dx = Reference.averagePoolingGradient(x, dy, shape)
        for kernels in kernelSets {
            let (xLanes, dyLanes) = (try x.batch(), try dy.batch())
            let (yLanes, dxLanes) = (try y.batch(), try x.batch())
            yLanes.fill(.nan)
            dxLanes.fill(.nan)
            let middle = part(of: xLanes.blocks)
            for (first, end) in [(middle, xLanes.blocks), (0, middle)] {
                kernels.average_pool(&shape, xLanes.pointer, yLanes.pointer, first, end)
                kernels.average_pool_gradient(&shape, dyLanes.pointer, dxLanes.pointer, first, end)
            }
            expectClose(yLanes, y, within: 1e-6, "\(kernels.title): y")
            expectClose(dxLanes, dx, within: 1e-6, "\(kernels.title): dx")
            #expect(dxLanes.unusedLanes.allSatisfy { $0 == 0 })
        }
    }

    /// avg_pool2d of PyTorch 2.13 with ceil_mode=True, over the 5 x 6 image of 7 i modulo 31 for i from 1.
    @Test(arguments: [
        ((2, 3), (3, 2), 1, true, [3.5, 10.5, 7.166667, 2.75, 9.833333, 17.5, 16, 3.75]),
        ((2, 3), (3, 2), 1, false, [10.5, 21, 14.333333, 11, 14.75, 17.5, 16, 7.5]),
        ((2, 2), (2, 2), 0, true, [16, 14.5, 13, 14.75, 21, 11.75, 23.5, 6.5, 20.5]),
        ((3, 2), (2, 3), 1, true, [4.166667, 9.666667, 5.5, 9.333333, 15.5, 6.166667, 4.833333, 11, 6.166667]),
    ]) func averagesPastTheImageArePyTorchs(
        window: (Int, Int), strides: (Int, Int), padding: Int, countsPadding: Bool, expected: [Double]
    ) throws {
        var shape = lane_pooling(
            channels: 1, height: 5, width: 6, window: window, strides: strides,
            paddings: (padding, padding, padding, padding), roundsUp: true, countsPadding: countsPadding)
        let x = try Rows(samples: 1, [1, 5, 6], (1...30).map { Double($0 * 7 % 31) }).batch()
        let y = try Batch(samples: 1, shape: Shape([1, shape.output_height, shape.output_width]))
        for kernels in kernelSets {
            kernels.average_pool(&shape, x.pointer, y.pointer, 0, 1)
            expectClose(Rows(y).values, expected, within: 1e-6, "\(kernels.title)")
        }
    }

    @Test(arguments: [(1, 1, 1, 1, 2), (17, 3, 4, 5, 2), (3, 2, 3, 1, 3), (33, 5, 2, 2, 1)])
    func upsamplingRepeatsPixelsAndItsGradientAddsThem(
        samples: Int, channels: Int, height: Int, width: Int, factor: Int
    ) throws {
        var random = Philox(seed: 3, stream: .check)
        let x = Rows(samples: samples, [channels, height, width], from: &random)
        let y = Reference.upsampling(x, factor: factor)
        let dy = Rows(samples: samples, y.dimensions, from: &random)
        let dx = Reference.upsamplingGradient(dy, factor: factor)
        for kernels in kernelSets {
            let (xLanes, dyLanes) = (try x.batch(), try dy.batch())
            let (yLanes, dxLanes) = (try y.batch(), try x.batch())
            yLanes.fill(.nan)
            dxLanes.fill(.nan)
            let planes = channels * xLanes.blocks
            for (first, end) in [(part(of: planes), planes), (0, part(of: planes))] {
                kernels.upsample(height, width, factor, xLanes.pointer, yLanes.pointer, first, end)
                kernels.upsample_gradient(height, width, factor, dyLanes.pointer, dxLanes.pointer, first, end)
            }
            #expect(Rows(yLanes).values == y.values, "\(kernels.title)")
            expectClose(dxLanes, dx, within: 1e-6, "\(kernels.title): dx")
            #expect(dxLanes.unusedLanes.allSatisfy { $0 == 0 })
        }
    }
}
