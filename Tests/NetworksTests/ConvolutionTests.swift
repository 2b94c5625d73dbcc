import LaneKernels
import Numerics
import Testing

@testable import Networks

/// Convolutions of every kind against the definition in Double, for odd shapes, at every instruction set, on one thread
/// and on several.
@Suite struct ConvolutionTests {
    static let levels = 0..<Int(lane_kernels_available())

    struct Case {
        var samples: Int
        var inputs: Int
        var outputs: Int
        var height: Int
        var width: Int
        var kernel = 3
        var stride = 1
        var padding = 1
        var dilation = 1
        var groups = 1
        var upsampling = 1
    }

    @Test(arguments: levels)
    func directConvolutionIsTheDefinition(level: Int) throws {
        for (threads, shape) in zip([1, 2, 3].cycled, [
            Case(samples: 1, inputs: 1, outputs: 1, height: 1, width: 1),
            Case(samples: 5, inputs: 1, outputs: 6, height: 12, width: 9, kernel: 5, padding: 0),
            Case(samples: 18, inputs: 3, outputs: 8, height: 7, width: 10, kernel: 5, padding: 2),
            Case(samples: 17, inputs: 6, outputs: 16, height: 8, width: 7, kernel: 5, padding: 0),
            Case(samples: 20, inputs: 7, outputs: 1, height: 9, width: 5),
            Case(samples: 16, inputs: 2, outputs: 13, height: 6, width: 11),
            Case(samples: 40, inputs: 4, outputs: 7, height: 9, width: 12, stride: 2),
            Case(samples: 3, inputs: 5, outputs: 3, height: 8, width: 8, kernel: 2, stride: 3, padding: 0),
            Case(samples: 18, inputs: 9, outputs: 10, height: 6, width: 4, kernel: 1, padding: 0),
            Case(samples: 2, inputs: 2, outputs: 2, height: 4, width: 5, kernel: 1, padding: 1),
            Case(samples: 130, inputs: 2, outputs: 4, height: 5, width: 3, kernel: 4, padding: 3),
            Case(samples: 33, inputs: 6, outputs: 9, height: 7, width: 8, groups: 3),
            Case(samples: 19, inputs: 8, outputs: 8, height: 6, width: 6, stride: 2, groups: 8),
            Case(samples: 17, inputs: 3, outputs: 5, height: 9, width: 11, padding: 2, dilation: 2),
            Case(samples: 4, inputs: 4, outputs: 6, height: 8, width: 9, kernel: 2, dilation: 5, groups: 2),
            Case(samples: 5, inputs: 4, outputs: 2, height: 3, width: 3, padding: 0, groups: 2),
        ]) {
            try check(shape, Compute(threads: threads, level: level, usesWinograd: false), tolerance: 2e-6)
        }
    }

    @Test(arguments: levels)
    func winogradIsTheDefinition(level: Int) throws {
        for (threads, shape) in zip([1, 2, 3].cycled, [
            Case(samples: 1, inputs: 9, outputs: 9, height: 1, width: 1),
            Case(samples: 17, inputs: 7, outputs: 11, height: 7, width: 10),
            Case(samples: 2, inputs: 16, outputs: 8, height: 16, width: 16),
            Case(samples: 34, inputs: 8, outputs: 19, height: 4, width: 4),
            Case(samples: 18, inputs: 20, outputs: 17, height: 9, width: 6),
            Case(samples: 70, inputs: 7, outputs: 18, height: 3, width: 2),
        ]) {
            try check(shape, Compute(threads: threads, level: level), tolerance: 2e-5)
        }
    }

    @Test(arguments: levels)
    func winogradOfAnUpsampledImageIsTheDefinition(level: Int) throws {
        for (threads, shape) in zip([1, 2, 3].cycled, [
            Case(samples: 1, inputs: 5, outputs: 5, height: 1, width: 1, upsampling: 2),
            Case(samples: 17, inputs: 6, outputs: 9, height: 3, width: 5, upsampling: 2),
            Case(samples: 2, inputs: 16, outputs: 8, height: 8, width: 8, upsampling: 2),
            Case(samples: 18, inputs: 17, outputs: 20, height: 2, width: 3, upsampling: 2),
        ]) {
            try check(shape, Compute(threads: threads, level: level), tolerance: 2e-5)
        }
    }

    @Test func groupsDivideTheChannels() throws {
        for groups in [0, -1, 2, 4] {
            #expect(throws: DaflError.self) {
                try layer(.convolution, ["outputs": 9, "kernel": 3, "groups": .integer(groups)], of: [[4, 5, 5]])
            }
        }
    }

    @Test func winogradIsForDenseConvolutionsOnly() throws {
        let compute = try Compute(threads: 1)
        func pays(dilation: Int, groups: Int) throws -> Bool {
            let attributes: [String: Attribute] = [
                "outputs": 64, "kernel": 3, "padding": 1, "dilation": .integer(dilation), "groups": .integer(groups),
            ]
            let convolution = try #require(layer(.convolution, attributes, of: [[64, 8, 8]]) as? Convolution)
            return WinogradOperation.pays(convolution, upsampling: 1, compute)
        }
        #expect(try pays(dilation: 1, groups: 1))
        #expect(try !pays(dilation: 2, groups: 1))
        #expect(try !pays(dilation: 1, groups: 2))
    }

    /// All three passes of one convolution; errors are measured against the largest number of the result.
    private func check(_ shape: Case, _ compute: Compute, tolerance: Double) throws {
        let attributes: [String: Attribute] = [
            "outputs": .integer(shape.outputs), "kernel": .integer(shape.kernel), "stride": .integer(shape.stride),
            "padding": .integer(shape.padding), "dilation": .integer(shape.dilation), "groups": .integer(shape.groups),
        ]
        let convolution = try #require(
            NetworksTests.layer(.convolution, attributes, of: [[shape.inputs, shape.height, shape.width]]) as? Convolution)
        let layer: any Layer =
            shape.upsampling == 1
            ? convolution
            : try #require(Upsampling(factor: shape.upsampling).fused(with: convolution, compute))
        let inputShape = try Shape([shape.inputs, shape.height, shape.width])
        let outputShape = try layer.outputShape([inputShape])
        func batch(_ shape: Shape, _ samples: Int) throws -> Batch { try Batch(samples: samples, shape: shape) }
        let (x, dx) = (try batch(inputShape, shape.samples), try batch(inputShape, shape.samples))
        let (y, dy) = (try batch(outputShape, shape.samples), try batch(outputShape, shape.samples))
        var random = Philox(seed: UInt64(shape.samples * shape.inputs), stream: .check)
        random.fillNormal(x)
        random.fillNormal(dy)
        // What the lanes past the last sample hold does not matter.
        x.fillUnusedLanes(3)
        dx.fill(.nan)
        y.fill(.nan)
        for parameter in convolution.parameters {
            for i in 0..<parameter.value.count { parameter.value[i] = random.nextNormal() }
            parameter.gradient?.fill(.nan)
        }

        let operation = try layer.plan(
            Site(
                inputs: [Slot(value: x, gradient: dx)], output: Slot(value: y, gradient: dy), samples: shape.samples,
                trains: true, statisticsWeight: 0, compute: compute))
        let expected = Definition(shape, convolution, x, dy, outputShape)
        for _ in 0..<2 {  // the second time over what the first left behind
            operation.forward(training: true)
            operation.backward()
            let name = "\(shape) with \(String(cString: compute.kernels.name))"
            #expect(distance(y.rows, expected.y) < tolerance, "y of \(name)")
            #expect(distance(dx.rows, expected.dx) < tolerance, "dx of \(name)")
            #expect(distance(try #require(convolution.weight.gradient).numbers, expected.dw) < tolerance, "dw of \(name)")
            #expect(distance(try #require(convolution.bias?.gradient).numbers, expected.db) < tolerance, "db of \(name)")
        }
    }

    private func distance(_ numbers: [Float], _ expected: [Double]) -> Double {
        // At least 5, since sums of many numbers may cancel.
        let scale = expected.reduce(5) { max($0, abs($1)) }
        return zip(numbers, expected).reduce(0) { ($1.0.isFinite ? max($0, abs(Double($1.0) - $1.1)) : .infinity) } / scale
    }

    /// A convolution and its gradients as the sums that define them.
    private struct Definition {
        var y: [Double]
        var dx: [Double]
        var dw: [Double]
        var db: [Double]

        init(_ shape: Case, _ convolution: Convolution, _ x: Batch, _ dy: Batch, _ outputShape: Shape) {
            let (outputs, outputHeight, outputWidth) = outputShape.channelsHeightWidth
            let (k, factor) = (shape.kernel, shape.upsampling)
            y = [Double](repeating: 0, count: shape.samples * outputShape.count)
            dx = [Double](repeating: 0, count: shape.samples * x.elements)
            dw = [Double](repeating: 0, count: convolution.weight.value.count)
            db = [Double](repeating: 0, count: outputs)
            for n in 0..<shape.samples {
                for o in 0..<outputs {
                    for i in 0..<outputHeight {
                        for j in 0..<outputWidth {
                            let at = (o * outputHeight + i) * outputWidth + j
                            let gradient = Double(dy[n, at])
                            var sum = Double(convolution.bias?.value[o] ?? 0)
                            let inputs = shape.inputs / shape.groups
                            let first = o / (outputs / shape.groups) * inputs
                            for c in 0..<inputs {
                                for u in 0..<k {
                                    for v in 0..<k {
                                        let row = i * shape.stride + u * shape.dilation - shape.padding
                                        let column = j * shape.stride + v * shape.dilation - shape.padding
                                        guard row >= 0, row < shape.height * factor, column >= 0,
                                            column < shape.width * factor
                                        else { continue }
                                        let pixel = ((first + c) * shape.height + row / factor) * shape.width + column / factor
                                        let tap = ((o * inputs + c) * k + u) * k + v
                                        sum += Double(x[n, pixel]) * Double(convolution.weight.value[tap])
                                        dw[tap] += Double(x[n, pixel]) * gradient
                                        dx[n * x.elements + pixel] += Double(convolution.weight.value[tap]) * gradient
                                    }
                                }
                            }
                            y[n * outputShape.count + at] = sum
                            db[o] += gradient
                        }
                    }
                }
            }
        }
    }
}

extension Batch {
    /// Sample after sample.
    var rows: [Float] { (0..<samples).flatMap { n in (0..<elements).map { self[n, $0] } } }

    /// Sets the lanes that hold no sample.
    func fillUnusedLanes(_ value: Float) {
        for i in 0..<count where i / (elements * Batch.lanes) * Batch.lanes + i % Batch.lanes >= samples {
            pointer[i] = value
        }
    }
}

extension Tensor {
    var numbers: [Float] { (0..<count).map { self[$0] } }
}

extension Array {
    /// The array over and over.
    var cycled: some Sequence<Element> { (0...).lazy.map { self[$0 % self.count] } }
}
