import LaneKernels
import Numerics
import Testing

@Suite struct PoolingKernelTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let samples, channels, height, width, window, stride: Int
        var testDescription: String {
            "\(samples) x [\(channels), \(height), \(width)], window \(window), stride \(stride)"
        }
        var shape: lane_pooling {
            lane_pooling(
                channels: channels, input_height: height, input_width: width,
                output_height: (height - window) / stride + 1, output_width: (width - window) / stride + 1,
                window: window, stride: stride, rectifies: 0)
        }
    }

    static let cases = [
        Case(samples: 1, channels: 1, height: 2, width: 2, window: 2, stride: 2),
        Case(samples: 17, channels: 3, height: 6, width: 4, window: 2, stride: 2),
        Case(samples: 16, channels: 2, height: 7, width: 5, window: 3, stride: 2),
        Case(samples: 5, channels: 1, height: 5, width: 6, window: 3, stride: 1),
        Case(samples: 33, channels: 4, height: 5, width: 7, window: 2, stride: 3),
        Case(samples: 3, channels: 9, height: 4, width: 4, window: 4, stride: 4),
        Case(samples: 20, channels: 2, height: 3, width: 3, window: 1, stride: 1),
    ]

    @Test(arguments: cases) func maxAndItsGradientAreTheDefinition(_ c: Case) throws {
        var random = Philox(seed: 1, stream: .check)
        // Small whole numbers, so that many windows hold their maximum more than once.
        let x = Rows(samples: c.samples, [c.channels, c.height, c.width], from: &random).map { $0.rounded() }
        let y = Reference.maxPooling(x, window: c.window, stride: c.stride)
        let dy = Rows(samples: c.samples, y.dimensions, from: &random)
        let dx = Reference.maxPoolingGradient(x, dy, window: c.window, stride: c.stride)
        var shape = c.shape
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

    @Test(arguments: cases) func averageAndItsGradientAreTheDefinition(_ c: Case) throws {
        var random = Philox(seed: 2, stream: .check)
        let x = Rows(samples: c.samples, [c.channels, c.height, c.width], from: &random)
        let y = Reference.averagePooling(x, window: c.window, stride: c.stride)
        let dy = Rows(samples: c.samples, y.dimensions, from: &random)
        let dx = Reference.averagePoolingGradient(x, dy, window: c.window, stride: c.stride)
        var shape = c.shape
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
