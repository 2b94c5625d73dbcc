import Glibc
import Networks
import Numerics
import Testing

@testable import Formats

/// Classifiers that people really use, from a folder beside the repository; what is in it stays there.
struct ONNXModelsTests {
    struct Model: Sendable, CustomTestStringConvertible {
        let name: String
        let input: [Int]
        let classes: Int
        let parameters: Int
        var isChannelsLast = false
        var head = Graph.Interface.Head.none
        /// Numbers of the feature; nil for none.
        let feature: Int?
        /// Where the file leaves it to the caller.
        var given: [Int]?

        var testDescription: String { name }
        var path: String { "\(Self.folder)/\(name).onnx" }
        var exists: Bool { access(path, R_OK) == 0 }

        /// ../shared/models, seen from the repository's root.
        private static let folder =
            #filePath.split(separator: "/").dropLast(4).reduce("") { "\($0)/\($1)" } + "/shared/models"

        static let all = [
            Model(
                name: "mlperf-tiny-resnet8", input: [3, 32, 32], classes: 10, parameters: 77706, isChannelsLast: true,
                head: .softmax, feature: 64),
            Model(
                name: "mlperf-tiny-resnet8-int8", input: [3, 32, 32], classes: 10, parameters: 77706, isChannelsLast: true,
                head: .softmax, feature: 64),
            Model(
                name: "mlperf-tiny-dscnn-kws", input: [1, 49, 10], classes: 12, parameters: 22604, isChannelsLast: true,
                head: .softmax, feature: 64),
            Model(
                name: "mlperf-tiny-mobilenet-vww", input: [3, 96, 96], classes: 2, parameters: 210_850,
                isChannelsLast: true,
                head: .softmax, feature: 256),
            Model(name: "resnet20-cifar10", input: [3, 32, 32], classes: 10, parameters: 269_034, feature: 64),
            Model(
                name: "text-angle-mobilenetv3", input: [3, 48, 192], classes: 2, parameters: 129_356, head: .softmax,
                feature: 200,
                given: [3, 48, 192]),
            Model(name: "mnist-cntk", input: [1, 28, 28], classes: 10, parameters: 5994, feature: 256),
            Model(name: "mnist-torch", input: [1, 28, 28], classes: 10, parameters: 26506, head: .softmax, feature: 128),
            Model(
                name: "emotion-minixception", input: [1, 64, 64], classes: 7, parameters: 56_215, isChannelsLast: true,
                head: .softmax,
                feature: nil),
            Model(
                name: "deepfake-meso4", input: [3, 256, 256], classes: 1, parameters: 27977, isChannelsLast: true,
                head: .sigmoid,
                feature: 16),
            Model(name: "liveness-minifasnet", input: [3, 80, 80], classes: 3, parameters: 429_376, feature: 128),
            Model(name: "emnist-letters", input: [1, 28, 28], classes: 27, parameters: 696_859, feature: 512),
        ]
    }

    @Test(arguments: Model.all.filter(\.exists))
    func loads(model: Model) throws {
        let network = try Network.load(onnx: model.path, inputShape: model.given)
        #expect(network.inputShape.dimensions == model.input)
        #expect(network.outputShape.dimensions == [model.classes])
        #expect(network.parameterCount == model.parameters)
        #expect(network.graph.interface.isChannelsLast == model.isChannelsLast)
        #expect(network.graph.interface.head == model.head)
        #expect(network.featureShape?.count == model.feature)
    }

    /// A free height and width are the caller's to name.
    @Test(.enabled(if: Model.all.contains { $0.given != nil && $0.exists }))
    func freeSizes() throws {
        let model = try #require(Model.all.first { $0.given != nil })
        expectError(.invalidArgument, naming: model.path) { _ = try Network.load(onnx: model.path) }
        expectError(.invalidArgument, naming: model.path) {
            _ = try Network.load(onnx: model.path, inputShape: [1, 48, 192])
        }
        expectError(.invalidArgument, naming: model.path) { _ = try Network.load(onnx: model.path, inputShape: [48, 192]) }
    }
}
