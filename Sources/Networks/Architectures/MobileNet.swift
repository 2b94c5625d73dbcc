extension Graph {
    /// MobileNet (Howard et al. 2017): a strided convolution, then thirteen depthwise convolutions, each with a 1 x 1
    /// convolution; the mean over what is left of the image and one linear layer. Names are those of
    /// github.com/marvis/pytorch-mobilenet. The feature is the pooled vector.
    ///
    /// `multiplier`, the paper's alpha, scales all widths: 0.25 is MLPerf Tiny's. `stride`, of the first convolution: 1
    /// for small images.
    static func mobileNetV1(_ architecture: Architecture) throws -> Graph {
        let (task, others) = try architecture.task([("stride", 2, 1...2)], fractions: ["multiplier"])
        let multiplier = try architecture.fraction("multiplier", or: 1, 0.01...16)
        func width(_ full: Int) -> Int { max(1, Int(Double(full) * multiplier)) }

        var graph = Graph(architecture.name, input: task.input)
        graph.addConvolution("model.0.0", norm: "model.0.1", outputs: width(32), kernel: 3, stride: others[0])
        var inputs = width(32)
        let blocks = [
            (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1), (512, 1), (512, 1), (512, 1), (512, 1),
            (1024, 2), (1024, 1),
        ]
        for (place, (full, stride)) in blocks.enumerated() {
            let name = "model.\(place + 1)"
            graph.addConvolution(
                "\(name).0", norm: "\(name).1", outputs: inputs, kernel: 3, stride: stride, groups: inputs)
            inputs = width(full)
            graph.addConvolution("\(name).3", norm: "\(name).4", outputs: inputs, kernel: 1)
        }
        graph.addClassifier("fc", classes: task.classes)
        return graph
    }

    /// MobileNetV2 (Sandler et al. 2018) with torchvision's names: inverted residual blocks, which widen their few
    /// channels, convolve them depthwise and narrow them again. `multiplier` scales all widths, to multiples of 8;
    /// `stride`, of the first convolution, is 1 for small images. The feature is the pooled vector.
    static func mobileNetV2(_ architecture: Architecture) throws -> Graph {
        let (task, others) = try architecture.task([("stride", 2, 1...2)], fractions: ["multiplier"])
        let multiplier = try architecture.fraction("multiplier", or: 1, 0.01...16)
        /// The nearest multiple of 8 that is not more than a tenth smaller.
        func width(_ full: Int) -> Int {
            let exact = Double(full) * multiplier
            let nearest = max(8, Int(exact + 4) / 8 * 8)
            return Double(nearest) < 0.9 * exact ? nearest + 8 : nearest
        }

        var graph = Graph(architecture.name, input: task.input)
        graph.addConvolution(
            "features.0.0", norm: "features.0.1", outputs: width(32), kernel: 3, stride: others[0], .relu6)
        var (inputs, place) = (width(32), 1)
        let stages = [
            (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
        ]
        for (expansion, full, count, stride) in stages {
            for block in 0..<count {
                graph.addInvertedResidual(
                    "features.\(place).conv", inputs: inputs, expansion: expansion, outputs: width(full),
                    stride: block == 0 ? stride : 1)
                (inputs, place) = (width(full), place + 1)
            }
        }
        let last = multiplier > 1 ? width(1280) : 1280
        graph.addConvolution("features.18.0", norm: "features.18.1", outputs: last, kernel: 1, .relu6)
        graph.addClassifier("classifier.1", classes: task.classes)
        return graph
    }

    private mutating func addInvertedResidual(_ name: String, inputs: Int, expansion: Int, outputs: Int, stride: Int) {
        let (input, hidden) = (last, inputs * expansion)
        var place = 0
        if expansion != 1 {
            addConvolution("\(name).0.0", norm: "\(name).0.1", outputs: hidden, kernel: 1, .relu6)
            place = 1
        }
        addConvolution(
            "\(name).\(place).0", norm: "\(name).\(place).1", outputs: hidden, kernel: 3, stride: stride, groups: hidden,
            .relu6)
        let narrow = addConvolution(
            "\(name).\(place + 1)", norm: "\(name).\(place + 2)", outputs: outputs, kernel: 1, nil)
        if stride == 1, inputs == outputs { add(.add, inputs: [input, narrow]) }
    }

    /// MLPerf Tiny's network for spoken words (Zhang et al. 2017): a 10 x 4 convolution of stride 2, four depthwise
    /// convolutions, each with a 1 x 1 convolution of 64 filters, the mean over what is left, one linear layer. [1, 49,
    /// 10] are 49 moments with 10 cepstral coefficients each. Names are those of its Keras layers. The feature is the
    /// pooled vector.
    static func dscnn(_ architecture: Architecture) throws -> Graph {
        let (task, _) = try architecture.task(rows: 49, columns: 10, channels: 1, classes: 12)
        /// Pixels around the image for ceil(side / 2) windows, as TensorFlow has them: the odd one at the end.
        func padding(_ side: Int, _ kernel: Int) -> (Int, Int) {
            let all = max(0, ((side + 1) / 2 - 1) * 2 + kernel - side)
            return (all / 2, all - all / 2)
        }
        let ((top, bottom), (left, right)) = (padding(task.rows, 10), padding(task.columns, 4))

        var graph = Graph(architecture.name, input: task.input)
        graph.add(
            .convolution, "conv2d",
            ["outputs": 64, "kernel": [10, 4], "stride": 2, "padding": .integers([top, left, bottom, right])])
        graph.add(.batchNorm, "batch_normalization", ["epsilon": 0.001, "momentum": 0.01])
        graph.add(.relu)
        for block in 0..<4 {
            let number = block == 0 ? "" : "_\(block)"
            for (name, kernel, groups) in [("depthwise_conv2d\(number)", 3, 64), ("conv2d_\(block + 1)", 1, 1)] {
                graph.add(.convolution, name, .convolution(outputs: 64, kernel: kernel, groups: groups))
                graph.add(
                    .batchNorm, "batch_normalization_\(2 * block + (groups == 1 ? 2 : 1))",
                    ["epsilon": 0.001, "momentum": 0.01])
                graph.add(.relu)
            }
        }
        graph.addClassifier("dense", classes: task.classes)
        return graph
    }
}
