import Networks
import Numerics
import Testing

@Suite struct ArchitectureTests {
    struct Size: Sendable, CustomTestStringConvertible {
        let architecture: String
        let parameters, multiplyAdds: Int
        let input, output: [Int]
        let feature: [Int]?
        var testDescription: String { architecture }
    }

    static let sizes = [
        Size(
            architecture: "lenet5", parameters: 61_706, multiplyAdds: 416_520, input: [1, 32, 32], output: [10],
            feature: [120, 1, 1]),
        Size(
            architecture: "lenet5-half", parameters: 15_738, multiplyAdds: 133_740, input: [1, 32, 32], output: [10],
            feature: [60, 1, 1]),
        Size(
            architecture: "lenet5(channels=3,classes=26)", parameters: 61_706 + 2 * 6 * 25 + 16 * 85,
            multiplyAdds: 416_520 + 2 * 6 * 25 * 28 * 28 + 16 * 84, input: [3, 32, 32], output: [26],
            feature: [120, 1, 1]),
        Size(
            architecture: "mlp-784-1200-1200-10", parameters: 2_395_210, multiplyAdds: 2_392_800, input: [784],
            output: [10], feature: [1200]),
        Size(
            architecture: "mlp-784-800-800-10", parameters: 1_276_810, multiplyAdds: 1_275_200, input: [784],
            output: [10], feature: [800]),
        Size(
            architecture: "resnet18", parameters: 11_173_962, multiplyAdds: 555_422_720, input: [3, 32, 32],
            output: [10], feature: [512]),
        Size(
            architecture: "resnet34(classes=100)", parameters: 21_282_122 + 90 * 513,
            multiplyAdds: 1_159_402_496 + 90 * 512, input: [3, 32, 32], output: [100], feature: [512]),
        Size(architecture: "mlp-5-3", parameters: 18, multiplyAdds: 15, input: [5], output: [3], feature: nil),
        Size(
            architecture: "dafl-generator", parameters: 1_049_985, multiplyAdds: 114_655_232, input: [100],
            output: [1, 32, 32], feature: nil),
        Size(
            architecture: "dafl-generator(latent=7, side=8, channels=3, width=4)",
            parameters: (7 + 1) * 16 + 2 * 4 + (4 * 9 + 1) * 4 + 2 * 4 + (4 * 9 + 1) * 2 + 2 * 2 + (2 * 9 + 1) * 3,
            multiplyAdds: 7 * 16 + 4 * 4 * 9 * 16 + 4 * 2 * 9 * 64 + 2 * 3 * 9 * 64, input: [7], output: [3, 8, 8],
            feature: nil),
        Size(
            architecture: "dafl-generator(latent=7,rows=5,columns=7,channels=3,width=4)",
            parameters: (7 + 1) * 16 + 2 * 4 + (4 * 9 + 1) * 4 + 2 * 4 + (4 * 9 + 1) * 2 + 2 * 2 + (2 * 9 + 1) * 3,
            multiplyAdds: 7 * 16 + 4 * 4 * 9 * 16 + 4 * 2 * 9 * 64 + 2 * 3 * 9 * 64, input: [7], output: [3, 5, 7],
            feature: nil),
        Size(
            architecture: "dafl-generator(latent=1,side=6,columns=1,width=2)",
            parameters: 2 * 4 + 2 * 2 + (2 * 9 + 1) * 2 + 2 * 2 + (2 * 9 + 1) + 2 * 1 + (9 + 1),
            multiplyAdds: 4 + 2 * 2 * 9 * 8 + 2 * 9 * 32 + 9 * 32, input: [1], output: [1, 6, 1], feature: nil),
        Size(
            architecture: "dafl-vector-generator(latent=7,outputs=13,width=5)",
            parameters: (7 + 1) * 5 + 2 * 5 + (5 + 1) * 5 + 2 * 5 + (5 + 1) * 13, multiplyAdds: 7 * 5 + 5 * 5 + 5 * 13,
            input: [7], output: [13], feature: nil),
    ]

    /// Those that other libraries and the papers' authors count, or as many as PyTorch's modules of the same layers
    /// have.
    static let named: [(architecture: String, parameters: Int)] = [
        ("lenet5(conv1=3,conv2=8)", 35_820),  // ZSKD's half
        ("alexnet(classes=1000)", 61_100_840), ("vgg11(classes=1000,hidden=4096,side=224)", 132_868_840),
        ("vgg13(classes=1000,hidden=4096,side=224)", 133_053_736),
        ("vgg16(classes=1000,hidden=4096,side=224)", 138_365_992),
        ("vgg19(classes=1000,hidden=4096,side=224)", 143_678_248),
        ("resnet18(classes=1000,stem=7,side=224)", 11_689_512), ("resnet34(classes=1000,stem=7,side=224)", 21_797_672),
        ("resnet50(classes=1000,stem=7,side=224)", 25_557_032), ("mobilenet-v2(classes=1000,side=224)", 3_504_872),
        ("mobilenet-v2(classes=1000,multiplier=0.5)", 1_968_680), ("mobilenet-v2(classes=1000,multiplier=0.35)", 1_677_128),
        ("mobilenet-v2(classes=1000,multiplier=1.4)", 6_108_776), ("mobilenet-v1(classes=1000,side=224)", 4_231_976),
        ("mobilenet-v1(classes=2,multiplier=0.25,side=96)", 213_586), ("resnet8", 75_290), ("resnet20", 269_722),
        ("resnet32", 464_154), ("resnet44", 658_586), ("resnet56", 853_018), ("resnet20(width=8)", 68_050),
        ("resnet8(projection=1)", 78_042), ("resnet56(projection=1)", 855_770), ("wrn-16-1", 175_066), ("wrn-16-2", 691_674),
        ("wrn-40-1", 563_930), ("wrn-40-2", 2_243_546), ("wrn-28-10", 36_479_194), ("dscnn", 23_756),
    ]

    @Test(arguments: named) func parametersAreThoseOfTheReference(architecture: String, parameters: Int) throws {
        #expect(try Network(architecture: architecture).parameterCount == parameters)
    }

    /// Some of each reference's state_dict, shapes of which tell the layers apart.
    @Test(arguments: [
        ("alexnet", "features.3.weight", [192, 64, 5, 5]), ("alexnet", "classifier.1.weight", [4096, 9216]),
        ("alexnet", "classifier.6.bias", [10]), ("alexnet-half", "classifier.1.weight", [2048, 4608]),
        ("vgg11", "features.8.weight", [256, 128, 3, 3]), ("vgg11", "features.26.running_var", [512]),
        ("vgg11", "classifier.weight", [10, 512]), ("vgg19", "features.49.bias", [512]),
        ("vgg16(hidden=4096,side=224)", "classifier.3.weight", [4096, 4096]),
        ("resnet18", "layer2.0.downsample.1.running_mean", [128]), ("resnet50", "layer1.0.downsample.0.weight", [256, 64, 1, 1]),
        ("resnet50(stem=7)", "conv1.weight", [64, 3, 7, 7]), ("resnet50", "layer4.2.bn3.weight", [2048]),
        ("resnet50", "layer3.0.conv2.weight", [256, 256, 3, 3]), ("resnet20", "layer3.2.conv2.weight", [64, 64, 3, 3]),
        ("resnet20", "linear.weight", [10, 64]), ("resnet8(projection=1)", "layer2.0.shortcut.0.weight", [32, 16, 1, 1]),
        ("wrn-16-2", "block1.layer.0.convShortcut.weight", [32, 16, 1, 1]), ("wrn-16-2", "block3.layer.1.bn1.weight", [128]),
        ("wrn-16-2", "bn1.bias", [128]), ("mobilenet-v1", "model.13.0.weight", [1024, 1, 3, 3]),
        ("mobilenet-v1", "model.0.1.weight", [32]), ("mobilenet-v2", "features.1.conv.0.0.weight", [32, 1, 3, 3]),
        ("mobilenet-v2", "features.1.conv.1.weight", [16, 32, 1, 1]), ("mobilenet-v2", "features.17.conv.2.weight", [320, 960, 1, 1]),
        ("mobilenet-v2", "features.17.conv.3.bias", [320]), ("mobilenet-v2", "features.18.0.weight", [1280, 320, 1, 1]),
        ("mobilenet-v2", "classifier.1.weight", [10, 1280]), ("dscnn", "conv2d.weight", [64, 1, 10, 4]),
        ("dscnn", "depthwise_conv2d_3.weight", [64, 1, 3, 3]), ("dscnn", "batch_normalization_8.running_var", [64]),
    ]) func weightsHaveTheReferencesNames(architecture: String, name: String, shape: [Int]) throws {
        #expect(try Network(architecture: architecture).parameter(named: name)?.value.shape.dimensions == shape)
    }

    @Test func dscnnHasTensorFlowsSizes() throws {
        let network = try Network(architecture: "dscnn")
        let shapes = Dictionary(uniqueKeysWithValues: network.nodes.map { ($0.name, $0.outputShape.dimensions) })
        #expect(shapes["conv2d"] == [64, 25, 5])
        #expect(network.multiplyAdds == 2_656_768)
    }

    /// What the message lists can be built.
    @Test func namesInTheMessageExist() throws {
        let error = try #require(throws: DaflError.self) { try Network(architecture: "nothing") }
        for name in ["lenet5, ", "resnet50, ", "wrn-<depth>-<width>, ", "mlp-<inputs>-<hidden>-...-<classes>", "dafl-generator"] {
            #expect(error.description.contains(name))
        }
    }

    /// Sides of any size, and such as are not squares.
    @Test(arguments: [
        "lenet5-half(side=16)", "lenet5(side=28)", "lenet5(rows=17,columns=40,classes=1)", "alexnet(side=21)", "alexnet(side=34)",
        "alexnet-half(side=35,classes=2)", "alexnet-half(side=62)", "alexnet-half(side=63)", "alexnet-half(rows=32,columns=70)",
        "vgg11(side=1)", "vgg11(side=28)", "vgg11(rows=3,columns=50,channels=1)", "resnet8(side=1)", "resnet8(side=31,width=3)",
        "resnet8(rows=9,columns=4,width=2)", "resnet18(side=1)", "resnet18(side=33)", "resnet18(stem=7,side=1)",
        "resnet18(stem=7,rows=50,columns=9)", "wrn-10-1(side=1)", "wrn-10-1(side=19)", "mobilenet-v1(multiplier=0.1,side=1)",
        "mobilenet-v1(multiplier=0.25,side=37,stride=1)", "mobilenet-v2(multiplier=0.1,side=1)",
        "mobilenet-v2(multiplier=0.1,rows=5,columns=33,stride=1)", "dscnn(side=1)", "dscnn(side=32,channels=3)",
    ]) func anySideIsTaken(architecture: String) throws {
        let network = try Network(architecture: architecture)
        network.drawQuickly()
        try expectFiniteOutputs(of: network)
    }

    @Test(arguments: sizes) func sizesAreThePapers(_ size: Size) throws {
        let network = try Network(architecture: size.architecture)
        #expect(network.architecture == size.architecture)
        #expect(network.parameterCount == size.parameters)
        #expect(network.multiplyAdds == size.multiplyAdds)
        #expect(network.inputShape.dimensions == size.input)
        #expect(network.outputShape.dimensions == size.output)
        #expect(network.featureShape?.dimensions == size.feature)
    }

    @Test func lenet5HasTheNamesOfItsStateDict() throws {
        expectParameters(
            of: try Network(architecture: "lenet5", seed: 0),
            [
                ("conv1.weight", [6, 1, 5, 5]), ("conv1.bias", [6]), ("conv2.weight", [16, 6, 5, 5]),
                ("conv2.bias", [16]),
                ("conv3.weight", [120, 16, 5, 5]), ("conv3.bias", [120]), ("fc1.weight", [84, 120]), ("fc1.bias", [84]),
                ("fc2.weight", [10, 84]), ("fc2.bias", [10]),
            ])
    }

    @Test func generatorHasTheNamesOfItsStateDict() throws {
        func norm(_ name: String, _ channels: Int, affine: Bool = true) -> [(String, [Int])] {
            (affine ? ["weight", "bias"] : []).map { ("\(name).\($0)", [channels]) }
                + ["running_mean", "running_var"].map { ("\(name).\($0)", [channels]) }
        }
        let convolutions: [[(String, [Int])]] = [
            [("conv1.weight", [128, 128, 3, 3]), ("conv1.bias", [128])],
            [("conv2.weight", [64, 128, 3, 3]), ("conv2.bias", [64])],
            [("conv3.weight", [1, 64, 3, 3]), ("conv3.bias", [1])],
        ]
        let network = try Network(architecture: "dafl-generator", seed: 0)
        expectParameters(
            of: network,
            [("l1.weight", [8192, 100]), ("l1.bias", [8192])] + norm("bn0", 128) + convolutions[0] + norm("bn1", 128)
                + convolutions[1] + norm("bn2", 64) + convolutions[2] + norm("bn3", 1, affine: false))
        for parameter in network.parameters {
            #expect(parameter.isTrained == !parameter.name.contains("running"))
            #expect(parameter.gradient.map { $0.shape == parameter.value.shape } ?? true)
        }
    }

    @Test func vectorGeneratorHasTheNamesOfItsStateDict() throws {
        let network = try Network(architecture: "dafl-vector-generator(latent=7,outputs=13,width=5)", seed: 0)
        let norms = ["weight", "bias", "running_mean", "running_var"]
        expectParameters(
            of: network,
            [("l1.weight", [5, 7]), ("l1.bias", [5])] + norms.map { ("bn1.\($0)", [5]) }
                + [("l2.weight", [5, 5]), ("l2.bias", [5])] + norms.map { ("bn2.\($0)", [5]) }
                + [("l3.weight", [13, 5]), ("l3.bias", [13])] + norms.suffix(2).map { ("bn3.\($0)", [13]) })
    }

    /// Rows and columns are another way to say the side, and only what must be cut is cut.
    @Test func onlySidesThatFourDoesNotDivideAreCropped() throws {
        func isCropped(_ arguments: String) throws -> Bool {
            let network = try Network(architecture: "dafl-generator(latent=2,width=2,\(arguments))", seed: 0)
            return network.nodes.contains { $0.layer is Crop }
        }
        for whole in ["side=8", "rows=4,columns=8", "side=7,rows=12,columns=4"] { #expect(try !isCropped(whole)) }
        for cut in ["side=9", "rows=4,columns=7", "side=8,rows=3"] { #expect(try isCropped(cut)) }
    }

    @Test func parametersAreFoundByName() throws {
        let network = try Network(architecture: "mlp-4-3-2", seed: 0)
        #expect(network.parameters.map(\.name) == ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"])
        #expect(network.parameter(named: "fc2.weight")?.value.shape.dimensions == [2, 3])
        #expect(network.parameter(named: "fc3.weight") == nil)
    }

    private func expectParameters(of network: Network, _ expected: [(name: String, shape: [Int])]) {
        #expect(network.parameters.map(\.name) == expected.map(\.name))
        #expect(network.parameters.map(\.value.shape.dimensions) == expected.map(\.shape))
    }

    @Test(arguments: [
        "", "lenet", "lenet5 ", "LENET5", "(classes=2)", "lenet5()", "lenet5(classes=10", "lenet5(classes=10))",
        "lenet5(classes)", "lenet5(classes=)", "lenet5(classes=ten)", "lenet5(classes=2.5)", "lenet5(classes=0)",
        "lenet5(classes=-1)", "lenet5(classes=99999999)", "lenet5(classes=99999999999999999999)", "lenet5(channels=0)",
        "lenet5(classes=10,)", "lenet5(classes=10=10)", "lenet5(classes=+10)", "lenet5(classes=3,classes=3)",
        "lenet5(width=6)", "lenet5-half(divisor=2)", "lenet5(conv1=2.0)", "lenet5(conv1=0)", "lenet5(side=15)", "lenet5(rows=8)",
        "lenet5(side=1e2)", "lenet5(side=0x20)", "lenet5(side=nan)", "lenet5(units=1.5)", "alexnet(side=20)", "alexnet(hidden=0)",
        "vgg12", "vgg16(hidden=-1)", "resnet21", "resnet20(width=0)", "resnet20(projection=2)", "resnet18(stem=5)", "wrn",
        "wrn-", "wrn-16", "wrn-15-1", "wrn-4-1", "wrn-16-0", "wrn-16-1-1", "wrn-16-1.5", "wrn-1606-1", "mobilenet-v3",
        "mobilenet-v1(multiplier=0)", "mobilenet-v1(multiplier=-0.5)", "mobilenet-v2(multiplier=.)", "mobilenet-v1(stride=3)",
        "dscnn(rows=0)", "small",
        "mlp", "mlp-", "mlp-784", "mlp-784-", "mlp--10", "mlp-784-0", "mlp-784--5", "mlp-784-ten",
        "mlp-784-10(classes=10)",
        "mlp-9999999-2", "dafl-generator(side=1048577)", "dafl-generator(side=0)", "dafl-generator(rows=0)",
        "dafl-generator(side=0,rows=8,columns=8)", "dafl-generator(columns=1048577)", "dafl-vector-generator(outputs=0)",
        "dafl-vector-generator(side=8)", "dafl-generator(latent=0)",
        "dafl-generator(width=1)", "dafl-generator(channels=0)", "dafl-generator(depth=3)",
    ])
    func impossibleStringsAreRefused(architecture: String) {
        let error = #expect(throws: DaflError.self) { try Network(architecture: architecture, seed: 0) }
        #expect(error?.status == .invalidArgument)
    }

    @Test(arguments: ["mlp-1048576-1048576-2", "dafl-generator(latent=1048576,side=4096,width=4096)"])
    func architecturesPastTheMachineAreOutOfMemory(architecture: String) {
        let error = #expect(throws: DaflError.self) { try Network(architecture: architecture, seed: 0) }
        #expect(error?.status == .outOfMemory)
    }
}
