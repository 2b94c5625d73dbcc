import Glibc
import LaneKernels

/// What the layers compute, written plainly over rows in Double: the other side of every comparison.
enum Reference {
    /// y[o, i, j] = bias[o] + sum over c, u, v of
    /// weight[o, c, u, v] x[g + c, i stride_y + u dilation_y - padding_top, j stride_x + v dilation_x - padding_left],
    /// where c goes over the inputs of o's group and g is its first.
    static func convolution(_ x: Rows, _ weight: [Double], _ bias: [Double]?, _ shape: lane_convolution) -> Rows {
        var y = Rows(samples: x.samples, [shape.outputs, shape.output_height, shape.output_width])
        if let bias {
            let pixels = shape.output_height * shape.output_width
            for i in y.values.indices { y.values[i] = bias[i / pixels % shape.outputs] }
        }
        eachTerm(x, y, shape) { x_i, w_i, y_i in y.values[y_i] += weight[w_i] * x.values[x_i] }
        return y
    }

    static func convolutionGradients(
        _ x: Rows, _ weight: [Double], _ dy: Rows, _ shape: lane_convolution
    ) -> (dx: Rows, dw: [Double]) {
        var dx = Rows(samples: x.samples, x.dimensions)
        var dw = [Double](repeating: 0, count: weight.count)
        eachTerm(x, dy, shape) { x_i, w_i, y_i in
            dx.values[x_i] += weight[w_i] * dy.values[y_i]
            dw[w_i] += x.values[x_i] * dy.values[y_i]
        }
        return (dx, dw)
    }

    /// Calls `body` with the indices of each product of a pixel and a weight, and of the output it is part of.
    private static func eachTerm(_ x: Rows, _ y: Rows, _ shape: lane_convolution, _ body: (Int, Int, Int) -> Void) {
        for n in 0..<x.samples {
            for o in 0..<shape.outputs {
                for i in 0..<shape.output_height {
                    for j in 0..<shape.output_width {
                        let y_i = y.index(n, o, i, j)
                        let inputs = shape.inputs / shape.groups
                        let first = o / (shape.outputs / shape.groups) * inputs
                        for c in 0..<inputs {
                            for u in 0..<shape.kernel_height {
                                let row = i * shape.stride_y + u * shape.dilation_y - shape.padding_top
                                guard (0..<shape.input_height).contains(row) else { continue }
                                for v in 0..<shape.kernel_width {
                                    let column = j * shape.stride_x + v * shape.dilation_x - shape.padding_left
                                    guard (0..<shape.input_width).contains(column) else { continue }
                                    let w_i =
                                        ((o * inputs + c) * shape.kernel_height + u) * shape.kernel_width + v
                                    body(x.index(n, first + c, row, column), w_i, y_i)
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    /// y[o] = bias[o] + sum over i of weight[o, i] x[i].
    static func linear(_ x: Rows, _ weight: [Double], _ bias: [Double]) -> Rows {
        var y = Rows(samples: x.samples, [bias.count])
        for n in 0..<x.samples {
            for o in bias.indices {
                var sum = bias[o]
                for i in 0..<x.elements { sum += weight[o * x.elements + i] * x.values[n * x.elements + i] }
                y.values[n * bias.count + o] = sum
            }
        }
        return y
    }

    static func maxPooling(_ x: Rows, window: Int, stride: Int) -> Rows {
        maxPooling(x, lane_pooling(x, window: window, stride: stride))
    }

    static func averagePooling(_ x: Rows, window: Int, stride: Int) -> Rows {
        averagePooling(x, lane_pooling(x, window: window, stride: stride))
    }

    static func maxPooling(_ x: Rows, _ shape: lane_pooling) -> Rows {
        let least = shape.rectifies != 0 ? 0 : -Double.infinity
        return pooling(x, shape) { indices, _ in max(least, indices.map { x.values[$0] }.max() ?? least) }
    }

    static func averagePooling(_ x: Rows, _ shape: lane_pooling) -> Rows {
        pooling(x, shape) { indices, count in indices.reduce(0) { $0 + x.values[$1] } / Double(max(1, count)) }
    }

    private static func pooling(_ x: Rows, _ shape: lane_pooling, _ value: ([Int], Int) -> Double) -> Rows {
        var y = Rows(samples: x.samples, [x.channels, shape.output_height, shape.output_width])
        eachWindow(x, y, shape) { indices, count, y_i in y.values[y_i] = value(indices, count) }
        return y
    }

    /// All of a window's gradient goes to the first of its largest pixels, if that is what came out.
    static func maxPoolingGradient(_ x: Rows, _ dy: Rows, _ shape: lane_pooling) -> Rows {
        var dx = Rows(samples: x.samples, x.dimensions)
        eachWindow(x, dy, shape) { indices, _, y_i in
            guard let top = indices.map({ x.values[$0] }).max(), shape.rectifies == 0 || top > 0 else { return }
            if let first = indices.first(where: { x.values[$0] == top }) { dx.values[first] += dy.values[y_i] }
        }
        return dx
    }

    static func averagePoolingGradient(_ x: Rows, _ dy: Rows, _ shape: lane_pooling) -> Rows {
        var dx = Rows(samples: x.samples, x.dimensions)
        eachWindow(x, dy, shape) { indices, count, y_i in
            for i in indices { dx.values[i] += dy.values[y_i] / Double(count) }
        }
        return dx
    }

    /// Calls `body` with the indices of a window's pixels, in row order, with what an average divides by, and with the index of
    /// the output they make.
    private static func eachWindow(_ x: Rows, _ y: Rows, _ s: lane_pooling, _ body: ([Int], Int, Int) -> Void) {
        let padded = (-s.padding_top..<x.height + s.padding_bottom, -s.padding_left..<x.width + s.padding_right)
        for n in 0..<x.samples {
            for c in 0..<x.channels {
                for i in 0..<y.height {
                    for j in 0..<y.width {
                        var indices: [Int] = []
                        var count = 0
                        for u in 0..<s.window_y {
                            for v in 0..<s.window_x {
                                let row = i * s.stride_y - s.padding_top + u
                                let column = j * s.stride_x - s.padding_left + v
                                let isPixel = (0..<x.height).contains(row) && (0..<x.width).contains(column)
                                if isPixel { indices.append(x.index(n, c, row, column)) }
                                let isCounted = padded.0.contains(row) && padded.1.contains(column)
                                if s.counts_padding != 0 ? isCounted : isPixel { count += 1 }
                            }
                        }
                        body(indices, count, y.index(n, c, i, j))
                    }
                }
            }
        }
    }

    static func upsampling(_ x: Rows, factor: Int) -> Rows {
        var y = Rows(samples: x.samples, [x.channels, x.height * factor, x.width * factor])
        eachPixel(y) { n, c, i, j in y[n, c, i, j] = x[n, c, i / factor, j / factor] }
        return y
    }

    static func upsamplingGradient(_ dy: Rows, factor: Int) -> Rows {
        var dx = Rows(samples: dy.samples, [dy.channels, dy.height / factor, dy.width / factor])
        eachPixel(dy) { n, c, i, j in dx[n, c, i / factor, j / factor] += dy[n, c, i, j] }
        return dx
    }

    static func crop(_ x: Rows, _ height: Int, _ width: Int) -> Rows {
        var y = Rows(samples: x.samples, [x.channels, height, width])
        eachPixel(y) { n, c, i, j in y[n, c, i, j] = x[n, c, i + (x.height - height) / 2, j + (x.width - width) / 2] }
        return y
    }

    /// Mean and biased variance of each channel over samples and pixels.
    static func statistics(_ x: Rows) -> (mean: [Double], variance: [Double]) {
        let count = Double(x.samples * x.height * x.width)
        var mean = [Double](repeating: 0, count: x.channels)
        var variance = mean
        eachPixel(x) { n, c, i, j in mean[c] += x[n, c, i, j] / count }
        eachPixel(x) { n, c, i, j in variance[c] += (x[n, c, i, j] - mean[c]) * (x[n, c, i, j] - mean[c]) / count }
        return (mean, variance)
    }

    /// y = weight (x - mean) / sqrt(variance + epsilon) + bias, by channel.
    static func normalised(
        _ x: Rows, mean: [Double], variance: [Double], epsilon: Double, weight: [Double]?, bias: [Double]?
    ) -> Rows {
        var y = x
        eachPixel(x) { n, c, i, j in
            y[n, c, i, j] =
                (x[n, c, i, j] - mean[c]) / (variance[c] + epsilon).squareRoot() * (weight?[c] ?? 1) + (bias?[c] ?? 0)
        }
        return y
    }

    static func leakyReLU(_ x: Rows, slope: Double) -> Rows { x.map { $0 > 0 ? $0 : slope * $0 } }

    /// log softmax(scale x), by the definition with the largest taken out.
    static func logSoftmax(_ x: Rows, scale: Double) -> Rows {
        var y = x
        for n in 0..<x.samples {
            let row = x[n].values.map { $0 * scale }
            let top = row.max() ?? 0
            let logTotal = log(row.reduce(0) { $0 + exp($1 - top) })
            for k in row.indices { y.values[n * x.elements + k] = row[k] - top - logTotal }
        }
        return y
    }

    static func eachPixel(_ x: Rows, _ body: (Int, Int, Int, Int) -> Void) {
        for n in 0..<x.samples {
            for c in 0..<x.channels {
                for i in 0..<x.height {
                    for j in 0..<x.width { body(n, c, i, j) }
                }
            }
        }
    }
}

extension lane_convolution {
    /// The output's size follows from the rest.
    init(
        inputs: Int, height: Int, width: Int, outputs: Int, kernelHeight: Int, kernelWidth: Int, stride: Int = 1,
        padding: Int = 0, dilation: Int = 1, groups: Int = 1
    ) {
        self.init(
            inputs: inputs, height: height, width: width, outputs: outputs, kernel: (kernelHeight, kernelWidth),
            strides: (stride, stride), paddings: (padding, padding, padding, padding), dilations: (dilation, dilation),
            groups: groups)
    }

    /// Pairs are vertical and horizontal.
    init(
        inputs: Int, height: Int, width: Int, outputs: Int, kernel: (Int, Int), strides: (Int, Int),
        paddings: (top: Int, left: Int, bottom: Int, right: Int), dilations: (Int, Int), groups: Int
    ) {
        self.init(
            inputs: inputs, input_height: height, input_width: width, outputs: outputs,
            output_height: (height + paddings.top + paddings.bottom - (kernel.0 - 1) * dilations.0 - 1) / strides.0 + 1,
            output_width: (width + paddings.left + paddings.right - (kernel.1 - 1) * dilations.1 - 1) / strides.1 + 1,
            kernel_height: kernel.0, kernel_width: kernel.1, stride_y: strides.0, stride_x: strides.1,
            padding_top: paddings.top, padding_left: paddings.left, dilation_y: dilations.0, dilation_x: dilations.1,
            groups: groups)
    }
}

extension lane_pooling {
    /// Square windows without padding over images of the size of x.
    init(_ x: Rows, window: Int, stride: Int) {
        self.init(
            channels: x.channels, height: x.height, width: x.width, window: (window, window), strides: (stride, stride))
    }

    /// Pairs are vertical and horizontal. The output has as many windows as fit into the padded image, or, with `roundsUp`, as
    /// start in the image or its padding above and left, as PyTorch's ceil_mode.
    init(
        channels: Int, height: Int, width: Int, window: (Int, Int), strides: (Int, Int),
        paddings: (top: Int, left: Int, bottom: Int, right: Int) = (0, 0, 0, 0), roundsUp: Bool = false,
        countsPadding: Bool = false, rectifies: Bool = false
    ) {
        func output(_ input: Int, _ window: Int, _ stride: Int, _ before: Int, _ behind: Int) -> Int {
            let room = input + before + behind - window
            guard roundsUp else { return room / stride + 1 }
            let count = (room + stride - 1) / stride + 1
            return (count - 1) * stride >= input + before ? count - 1 : count
        }
        self.init(
            channels: channels, input_height: height, input_width: width,
            output_height: output(height, window.0, strides.0, paddings.top, paddings.bottom),
            output_width: output(width, window.1, strides.1, paddings.left, paddings.right),
            window_y: window.0, window_x: window.1, stride_y: strides.0, stride_x: strides.1,
            padding_top: paddings.top, padding_left: paddings.left, padding_bottom: paddings.bottom,
            padding_right: paddings.right, counts_padding: countsPadding ? 1 : 0, rectifies: rectifies ? 1 : 0)
    }
}
