import LaneKernels
import Numerics
import Testing

@Suite struct ConvolutionKernelTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let shape: lane_convolution
        let samples: Int
        let hasBias: Bool
        var name = "random"

        var testDescription: String {
            """
            \(name): \(samples) x [\(shape.inputs), \(shape.input_height), \(shape.input_width)] to \
            [\(shape.outputs), \(shape.output_height), \(shape.output_width)], kernel \
            \(shape.kernel_height) x \(shape.kernel_width), stride \(shape.stride_y) x \(shape.stride_x), padding \
            \(shape.padding_top) above, \(shape.padding_left) left, dilation \(shape.dilation_y) x \(shape.dilation_x), \
            groups \(shape.groups)
            """
        }
    }

    /// Sizes at random, so that every remainder of the register tiles occurs. Half of the cases are square.
    static let randomCases: [Case] = {
        var random = Philox(seed: 1, stream: .check)
        return (0..<256).map { i in
            func pair(_ number: () -> Int) -> (Int, Int) {
                let first = number()
                return (first, i % 2 == 0 ? first : number())
            }
            let kernel = i % 5 == 0 ? (1, 1) : (1 + random.next(below: 5), 1 + random.next(below: 6))
            let strides = pair { 1 + random.next(below: 3) }
            let dilations = pair { [1, 1, 2, 3][random.next(below: 4)] }
            let ((top, left), (bottom, right)) = (pair { random.next(below: 4) }, pair { random.next(below: 4) })
            var paddings = i % 2 == 0 ? (top, top, top, top) : (top, left, bottom, right)
            if kernel == (1, 1), i % 4 < 3 { paddings = (0, 0, 0, 0) }
            // A third are depthwise.
            let groups = i % 3 == 0 ? 1 + random.next(below: 7) : [1, 1, 2, 3][random.next(below: 4)]
            let (inputs, outputs) = i % 3 == 0 ? (1, 1) : (1 + random.next(below: 4), 1 + random.next(below: 10))
            return Case(
                shape: lane_convolution(
                    inputs: groups * inputs,
                    height: (kernel.0 - 1) * dilations.0 + 1 + random.next(below: 4),
                    width: (kernel.1 - 1) * dilations.1 + 1 + random.next(below: 9),
                    outputs: groups * outputs, kernel: kernel, strides: strides, paddings: paddings,
                    dilations: dilations, groups: groups),
                samples: [1, 3, 16, 17, 33][random.next(below: 5)], hasBias: random.next(below: 3) > 0)
        }
    }()

    static let namedCases = [
        (
            "one pixel, one weight",
            lane_convolution(inputs: 1, height: 1, width: 1, outputs: 1, kernelHeight: 1, kernelWidth: 1), 1
        ),
        (
            "many inputs",
            lane_convolution(inputs: 37, height: 3, width: 4, outputs: 2, kernelHeight: 3, kernelWidth: 3, padding: 1),
            5
        ),
        (
            "many outputs",
            lane_convolution(inputs: 2, height: 4, width: 3, outputs: 41, kernelHeight: 3, kernelWidth: 3, padding: 1),
            2
        ),
        (
            "depthwise",
            lane_convolution(
                inputs: 13, height: 7, width: 9, outputs: 13, kernelHeight: 3, kernelWidth: 3, padding: 1, groups: 13), 18
        ),
        (
            "depthwise, stride 2",
            lane_convolution(
                inputs: 3, height: 13, width: 27, outputs: 3, kernelHeight: 3, kernelWidth: 3, stride: 2, padding: 1,
                groups: 3), 18
        ),
        (
            "depthwise, wide",
            lane_convolution(
                inputs: 2, height: 3, width: 39, outputs: 2, kernel: (5, 3), strides: (1, 1), paddings: (2, 0, 2, 2),
                dilations: (1, 1), groups: 2), 33
        ),
        (
            "depthwise, a pixel",
            lane_convolution(
                inputs: 5, height: 4, width: 19, outputs: 5, kernelHeight: 1, kernelWidth: 1, groups: 5), 3
        ),
        (
            "1 x 1, many inputs",
            lane_convolution(inputs: 530, height: 5, width: 9, outputs: 7, kernelHeight: 1, kernelWidth: 1), 18
        ),
        (
            "1 x 1, many outputs",
            lane_convolution(
                inputs: 9, height: 3, width: 59, outputs: 521, kernelHeight: 1, kernelWidth: 1, stride: 2), 2
        ),
        (
            "1 x 1 in groups, which leave rows and columns out",
            lane_convolution(
                inputs: 10, height: 8, width: 9, outputs: 26, kernel: (1, 1), strides: (3, 2), paddings: (0, 0, 0, 0),
                dilations: (2, 1), groups: 2), 33
        ),
        (
            "dilated past the padding",
            lane_convolution(
                inputs: 2, height: 5, width: 6, outputs: 7, kernelHeight: 3, kernelWidth: 3, padding: 4, dilation: 4), 3
        ),
        ("wide", lane_convolution(inputs: 1, height: 2, width: 47, outputs: 3, kernelHeight: 2, kernelWidth: 1), 3),
        (
            "kernel as large as the input",
            lane_convolution(inputs: 3, height: 5, width: 5, outputs: 4, kernelHeight: 5, kernelWidth: 5), 18
        ),
        (
            "more padding than kernel",
            lane_convolution(inputs: 2, height: 3, width: 3, outputs: 3, kernelHeight: 2, kernelWidth: 2, padding: 3), 4
        ),
        (
            "stride past the kernel",
            lane_convolution(inputs: 2, height: 9, width: 11, outputs: 3, kernelHeight: 2, kernelWidth: 2, stride: 4),
            17
        ),
        (
            "padding below and right only",
            lane_convolution(
                inputs: 3, height: 6, width: 8, outputs: 5, kernel: (3, 3), strides: (2, 2), paddings: (0, 0, 1, 1),
                dilations: (1, 1), groups: 1), 3
        ),
        (
            "padding as for an even kernel",
            lane_convolution(
                inputs: 2, height: 5, width: 21, outputs: 13, kernel: (1, 4), strides: (1, 1), paddings: (0, 1, 0, 2),
                dilations: (1, 1), groups: 1), 3
        ),
        (
            "many blocks",
            lane_convolution(inputs: 1, height: 3, width: 3, outputs: 2, kernelHeight: 2, kernelWidth: 2), 530
        ),
    ].map { Case(shape: $1, samples: $2, hasBias: true, name: $0) }

    @Test(arguments: namedCases + randomCases) func kernelsAreTheDefinition(_ c: Case) throws {
        var random = Philox(seed: 2, stream: .check)
        let s = c.shape
        let x = Rows(samples: c.samples, [s.inputs, s.input_height, s.input_width], from: &random)
        let weight = Rows(samples: s.outputs, [s.inputs / s.groups, s.kernel_height, s.kernel_width], from: &random).values
        let bias = c.hasBias ? Rows(samples: 1, [s.outputs], from: &random).values : nil
        let dy = Rows(samples: c.samples, [s.outputs, s.output_height, s.output_width], from: &random)
        let y = Reference.convolution(x, weight, bias, s)
        let (dx, dw) = Reference.convolutionGradients(x, weight, dy, s)

        for kernels in kernelSets {
            try check(kernels, s, x, weight, bias, dy, expected: (y, dx, dw))
        }
    }

    private func check(
        _ kernels: Kernels, _ shape: lane_convolution, _ x: Rows, _ weight: [Double], _ bias: [Double]?, _ dy: Rows,
        expected: (y: Rows, dx: Rows, dw: [Double])
    ) throws {
        var s = shape
        let (xLanes, dyLanes) = (try x.batch(), try dy.batch())
        let (weights, biases) = (try Tensor(weight), try bias.map { try Tensor($0) })
        let (y, dx) = (try expected.y.batch(), try expected.dx.batch())
        let (packed, dw) = (try Tensor([weight.count]), try Tensor([weight.count]))
        let scratch = try Tensor([kernels.convolution_scratch(&s)])
        let blocks = xLanes.blocks
        // What is not overwritten shows as NaN.
        for memory in [packed, dw, scratch] { memory.fill(.nan) }
        for memory in [y, dx] { memory.fill(.nan) }

        kernels.pack_weights(&s, weights.pointer, packed.pointer)
        #expect(packed.doubles.sorted() == weight.sorted())
        for (first, end) in [(0, part(of: blocks)), (part(of: blocks), blocks)] {
            kernels.convolve(
                &s, xLanes.pointer, packed.pointer, biases?.pointer, y.pointer, scratch.pointer, first, end)
        }
        expectClose(y, expected.y, "\(kernels.title): y")
        #expect(y.unusedLanes.allSatisfy { $0.isFinite })

        kernels.pack_weights_transposed(&s, weights.pointer, packed.pointer)
        #expect(packed.doubles.sorted() == weight.sorted())
        for (first, end) in [(part(of: blocks), blocks), (0, part(of: blocks))] {
            kernels.convolve_input_gradient(
                &s, dyLanes.pointer, packed.pointer, dx.pointer, scratch.pointer, first, end)
        }
        expectClose(dx, expected.dx, "\(kernels.title): dx")
        #expect(dx.unusedLanes.allSatisfy { $0 == 0 })

        var sum = [Double](repeating: 0, count: weight.count)
        for (first, end) in [(part(of: blocks), blocks), (0, part(of: blocks))] {
            kernels.convolve_weight_gradient(
                &s, xLanes.pointer, dyLanes.pointer, dw.pointer, scratch.pointer, first, end)
            sum = zip(sum, dw.doubles).map(+)
        }
        expectClose(sum, expected.dw, "\(kernels.title): dw")
    }
}
