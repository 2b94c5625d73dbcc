extension Graph {
    /// A network for any input, where no other is known: the student of a teacher of which only the input and the
    /// number of classes are.
    ///
    /// - An image of about 32 x 32, sides from 16 to 40: LeNet-5-half.
    /// - Another image: 3 x 3 convolutions with batch normalisation, which halve the sides until about 8 x 8 pixels are left
    ///   and have 16, 32, 64 and then 128 filters; the mean over what is left; one linear layer.
    /// - A vector, or an image of one pixel: a perceptron with two hidden layers.
    ///
    /// The feature is what the last linear layer takes, in LeNet-5-half the vector before its last hidden layer.
    ///
    /// - Parameters:
    ///   - input: [channels, height, width] or [numbers].
    ///   - classes: at least 1.
    package static func small(input: [Int], classes: Int) -> Graph {
        let name = "small"
        let pixels = input.dropFirst()
        guard input.count == 3, let least = pixels.min(), let most = pixels.max(), most > 1 else {
            let inputs = input.reduce(1) { $0.multipliedReportingOverflow(by: $1).partialValue }
            let hidden = min(max(inputs, 64), 512)
            return multilayerPerceptron(name, input: input, [hidden, hidden, classes])
        }
        if least >= smallestLeNet5, most <= 40 {
            return lenet5(name, input: input, widths: [3, 8, 60, 42], classes: classes)
        }

        var graph = Graph(name, input: input)
        var (rows, columns) = (input[1], input[2])
        graph.addConvolution("conv1", norm: "bn1", outputs: 16, kernel: 3, stride: most > 40 ? 2 : 1)
        if most > 40 { (rows, columns) = (rows / 2 + rows % 2, columns / 2 + columns % 2) }
        var (place, width) = (2, 16)
        while max(rows, columns) > 8 || place < 4 {
            width = min(2 * width, 128)
            let stride = (y: rows > 4 ? 2 : 1, x: columns > 4 ? 2 : 1)
            graph.add(
                .convolution, "conv\(place)",
                [
                    "outputs": .integer(width), "kernel": 3, "stride": .extent(stride.y, stride.x), "padding": 1,
                    "bias": false,
                ])
            graph.add(.batchNorm, "bn\(place)")
            graph.add(.relu)
            (rows, columns) = ((rows + stride.y - 1) / stride.y, (columns + stride.x - 1) / stride.x)
            place += 1
        }
        graph.addClassifier("fc", classes: classes)
        return graph
    }
}
