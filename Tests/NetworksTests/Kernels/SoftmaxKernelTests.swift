import Glibc
import LaneKernels
import Numerics
import Testing

@Suite struct SoftmaxKernelTests {
    @Test(arguments: [(1, 1), (5, 2), (16, 10), (17, 10), (40, 101)], [1.0, 0.25, 3])
    func softmaxIsTheDefinition(size: (samples: Int, classes: Int), scale: Double) throws {
        var random = Philox(seed: 1, stream: .check)
        let x = Rows(samples: size.samples, [size.classes], from: &random).map { 4 * $0 }
        let logP = Reference.logSoftmax(x, scale: scale)
        for kernels in kernelSets {
            let (p, q) = try softmax(kernels, x, scale)
            expectClose(q, logP, within: 1e-6, "\(kernels.title): log p")
            // A relative error of p is an absolute one of log p, whose last digit grows with it.
            let errors = zip(Rows(p).values, logP.values).map { abs($0 / exp($1) - 1) / (1 + abs($1)) }
            #expect(errors.allSatisfy { $0 < 1e-6 }, "\(kernels.title): p")
        }
    }

    @Test func largeLogitsStayFinite() throws {
        let rows: [[Double]] = [
            [1e4, -1e4, 0], [1e30, -1e30, 1e30], [-1e30, -1e30, -1e30], [88, 89, 90], [-300, 0, -300],
            [1e-30, 0, -1e-30],
        ]
        let x = Rows(samples: rows.count, [3], rows.flatMap { $0.map { Double(Float($0)) } })
        let expected = Reference.logSoftmax(x, scale: 1)
        for kernels in kernelSets {
            let (p, q) = try softmax(kernels, x, 1)
            for i in 0..<rows.count {
                let (row, log) = ((0..<3).map { p[i, $0] }, (0..<3).map { q[i, $0] })
                #expect(row.allSatisfy { (0...1).contains($0) } && log.allSatisfy { $0.isFinite && $0 <= 0 })
                #expect(abs(row.reduce(0, +) - 1) < 1e-6)
                expectClose(log.map(Double.init), expected[i].values, within: 1e-6, "\(kernels.title): log p")
            }
        }
    }

    /// In the second block only: the first keeps what it held.
    @Test func onlyTheRangeIsWritten() throws {
        var random = Philox(seed: 2, stream: .check)
        let x = try Rows(samples: 20, [3], from: &random).batch()
        for kernels in kernelSets {
            let (p, q) = (try Batch(samples: 20, shape: x.shape), try Batch(samples: 20, shape: x.shape))
            p.fill(-7)
            q.fill(7)
            kernels.softmax(x.pointer, 1, p.pointer, q.pointer, 3, 1, 2)
            #expect(p[15, 2] == -7 && q[0, 0] == 7)
            #expect(p[16, 0] > 0 && q[19, 2] < 0)
        }
    }

    private func softmax(_ kernels: Kernels, _ x: Rows, _ scale: Double) throws -> (p: Batch, logP: Batch) {
        let lanes = try x.batch()
        let p = try Batch(samples: x.samples, shape: lanes.shape)
        let logP = try Batch(samples: x.samples, shape: lanes.shape)
        kernels.softmax(lanes.pointer, Float(scale), p.pointer, logP.pointer, x.elements, 0, lanes.blocks)
        return (p, logP)
    }
}
