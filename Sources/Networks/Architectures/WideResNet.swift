import Numerics

extension Graph {
    /// "wrn-16-2": the wide ResNet (Zagoruyko and Komodakis 2016) of that depth, 6 n + 4, and width: a convolution of
    /// 16 filters, three stages of n blocks with 16, 32 and 64 times the width, each normalised before its
    /// convolutions; then the mean over what is left of the image and one linear layer. Names are those of
    /// github.com/xternalz/WideResNet-pytorch. The feature is the pooled vector.
    static func wideResNet(_ architecture: Architecture) throws -> Graph {
        let (task, _) = try architecture.task()
        let numbers = architecture.numbers(after: "wrn-")
        guard numbers.count == 2, (10...1000).contains(numbers[0]), numbers[0] % 6 == 4, (1...64).contains(numbers[1])
        else {
            throw DaflError.invalid(
                "architecture", "\"\(architecture.name)\"",
                "wrn-<depth>-<width> with a depth of 10, 16, 22, ... to 1000 and a width from 1 to 64")
        }
        let blocks = (numbers[0] - 4) / 6

        var graph = Graph(architecture.name, input: task.input)
        var width = 16
        graph.add(.convolution, "conv1", .convolution(outputs: width, kernel: 3, bias: false))
        for stage in 0..<3 {
            let outputs = 16 * numbers[1] << stage
            for block in 0..<blocks {
                graph.addPreactivatedBlock(
                    "block\(stage + 1).layer.\(block)", outputs: outputs, stride: stage > 0 && block == 0 ? 2 : 1,
                    keepsChannels: width == outputs)
                width = outputs
            }
        }
        graph.add(.batchNorm, "bn1")
        graph.add(.relu)
        graph.addClassifier("fc", classes: task.classes)
        return graph
    }

    /// shortcut + conv2(relu(bn2(conv1(a)))) with a = relu(bn1(x)); the shortcut is x, or a 1 x 1 convolution of a
    /// where the number of channels changes.
    private mutating func addPreactivatedBlock(_ name: String, outputs: Int, stride: Int, keepsChannels: Bool) {
        let input = last
        add(.batchNorm, "\(name).bn1")
        let activated = add(.relu)
        addConvolution("\(name).conv1", norm: "\(name).bn2", outputs: outputs, kernel: 3, stride: stride)
        let residual = add(.convolution, "\(name).conv2", .convolution(outputs: outputs, kernel: 3, bias: false))
        var shortcut = input
        if !keepsChannels {
            shortcut = add(
                .convolution, "\(name).convShortcut", inputs: [activated],
                .convolution(outputs: outputs, kernel: 1, stride: stride, bias: false))
        }
        add(.add, inputs: [residual, shortcut])
    }
}
