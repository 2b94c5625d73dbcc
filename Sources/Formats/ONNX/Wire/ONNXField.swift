/// The numbers of fields in the messages of onnx.proto.
enum ONNXField {
    enum Model {
        static let irVersion = 1
        static let producerName = 2
        static let producerVersion = 3
        static let graph = 7
        static let opset = 8
    }

    enum Opset {
        static let domain = 1
        static let version = 2
    }

    enum Graph {
        static let node = 1
        static let name = 2
        static let initializer = 5
        static let input = 11
        static let output = 12
        static let sparse = 15
    }

    enum Node {
        static let input = 1
        static let output = 2
        static let name = 3
        static let operation = 4
        static let attribute = 5
        static let domain = 7
    }

    enum Attribute {
        static let name = 1
        static let float = 2
        static let integer = 3
        static let text = 4
        static let tensor = 5
        static let floats = 7
        static let integers = 8
        static let texts = 9
        static let type = 20
    }

    enum AttributeType: Int {
        case float = 1
        case integer = 2
        case text = 3
        case tensor = 4
        case floats = 6
        case integers = 7
        case texts = 8
    }

    enum Tensor {
        static let dimension = 1
        static let type = 2
        static let name = 8
        static let raw = 9
        /// Those that hold numbers, each of other types: `ONNXTensor` tells which.
        static let numbers: Set = [4, 5, 7, 9, 10, 11]
        static let external = 13
        static let location = 14
    }

    /// Of what a tensor says of its own file.
    enum Entry {
        static let key = 1
        static let value = 2
    }

    /// Inputs and outputs.
    enum Interface {
        static let name = 1
        static let type = 2
    }

    enum ValueType { static let tensor = 1 }

    enum TensorType {
        static let element = 1
        static let shape = 2
    }

    enum Shape { static let dimension = 1 }

    enum Dimension {
        static let size = 1
        static let name = 2
    }
}
