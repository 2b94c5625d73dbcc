import Numerics

extension Network {
    /// LeNet-5 as the paper uses it, on [channels, 32, 32], with ReLU and max pooling: convolutions of 6, 16 and 120
    /// filters of 5 x 5, then 84 and `classes` units. The half network divides the widths by two. The feature is the
    /// 120-vector after the third convolution.
    static func lenet5(_ architecture: Architecture, divisor: Int) throws -> Network {
        let values = try architecture.values([("channels", 1, 1...Architecture.limit), ("classes", 10, 2...Architecture.limit)])
        let (channels, classes) = (values[0], values[1])
        let widths = [6, 16, 120, 84].map { $0 / divisor }

        var builder = try NetworkBuilder(inputShape: [channels, 32, 32], units: architecture.units)
        try builder.add(Convolution(name: "conv1", inputs: channels, outputs: widths[0], kernel: 5))
        try builder.add(LeakyReLU.relu())
        try builder.add(Pooling(.max, window: 2))
        try builder.add(Convolution(name: "conv2", inputs: widths[0], outputs: widths[1], kernel: 5))
        try builder.add(LeakyReLU.relu())
        try builder.add(Pooling(.max, window: 2))
        try builder.add(Convolution(name: "conv3", inputs: widths[1], outputs: widths[2], kernel: 5))
        let feature = try builder.add(LeakyReLU.relu())
        try builder.add(Linear(name: "fc1", inputs: widths[2], outputs: widths[3]))
        try builder.add(LeakyReLU.relu())
        try builder.add(Linear(name: "fc2", inputs: widths[3], outputs: classes))
        return builder.build(architecture: architecture.name, featureNode: feature)
    }
}
