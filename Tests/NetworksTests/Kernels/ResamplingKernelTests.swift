import LaneKernels
import Numerics
import Testing

@Suite struct ResamplingKernelTests {
    /// Samples, channels, the input's height and width, the output's.
    @Test(arguments: [
        (1, 1, 1, 1, 1, 1), (17, 2, 3, 4, 7, 6), (16, 3, 5, 2, 2, 5), (33, 1, 1, 3, 4, 4), (5, 2, 4, 4, 4, 4),
    ])
    func everyPixelLiesBetweenFour(
        samples: Int, channels: Int, height: Int, width: Int, newHeight: Int, newWidth: Int
    ) throws {
        var random = Philox(seed: 1, stream: .check)
        // Any places: which ones a layer takes is its own affair.
        func places(_ size: Int, of from: Int) -> [lane_between] {
            (0..<size).map { _ in
                let first = Int(random.nextUniform() * Float(from)) % from
                let second = Int(random.nextUniform() * Float(from)) % from
                return lane_between(first: first, second: second, share: random.nextUniform())
            }
        }
        let (rows, columns) = (places(newHeight, of: height), places(newWidth, of: width))
        let x = Rows(samples: samples, [channels, height, width], from: &random)
        let dy = Rows(samples: samples, [channels, newHeight, newWidth], from: &random)
        var (y, dx) = (dy.map { _ in 0 }, x.map { _ in 0 })
        Reference.eachPixel(y) { n, c, i, j in
            for (row, rowShare) in [(rows[i].first, 1 - rows[i].share), (rows[i].second, rows[i].share)] {
                for (column, share) in [
                    (columns[j].first, 1 - columns[j].share), (columns[j].second, columns[j].share),
                ] {
                    y[n, c, i, j] += Double(rowShare) * Double(share) * x[n, c, row, column]
                    dx[n, c, row, column] += Double(rowShare) * Double(share) * dy[n, c, i, j]
                }
            }
        }
        for kernels in kernelSets {
            let (xLanes, dyLanes, yLanes, dxLanes) = (try x.batch(), try dy.batch(), try dy.batch(), try x.batch())
            for batch in [yLanes, dxLanes] { batch.fill(.nan) }
            let planes = xLanes.blocks * channels
            rows.withUnsafeBufferPointer { rows in
                columns.withUnsafeBufferPointer { columns in
                    guard let rows = rows.baseAddress, let columns = columns.baseAddress else { return }
                    var shape = lane_resampling(
                        input_height: height, input_width: width, output_height: newHeight, output_width: newWidth,
                        rows: rows, columns: columns)
                    for (first, end) in [(part(of: planes), planes), (0, part(of: planes))] {
                        kernels.resample(&shape, xLanes.pointer, yLanes.pointer, first, end)
                        kernels.resample_gradient(&shape, dyLanes.pointer, dxLanes.pointer, first, end)
                    }
                }
            }
            expectClose(yLanes, y, within: 1e-6, "\(kernels.title): y")
            expectClose(dxLanes, dx, within: 1e-6, "\(kernels.title): dx")
            #expect(dxLanes.unusedLanes.allSatisfy { $0 == 0 })
        }
    }
}
