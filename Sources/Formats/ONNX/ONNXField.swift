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
    }

    enum Node {
        static let input = 1
        static let output = 2
        static let name = 3
        static let operation = 4
        static let attribute = 5
    }

    enum Attribute {
        static let name = 1
        static let float = 2
        static let integer = 3
        static let text = 4
        static let integers = 8
        static let type = 20
    }

    enum AttributeType: Int {
        case float = 1
        case integer = 2
        case text = 3
        case integers = 7
    }

    enum Tensor {
        static let dimension = 1
        static let type = 2
        static let name = 8
        static let raw = 9
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
