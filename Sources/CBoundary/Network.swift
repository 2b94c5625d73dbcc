import CDafl
import Formats
import Networks
import Numerics
import Training

public typealias NetworkHandle = OpaquePointer

/// Makes a network with new weights, drawn as PyTorch's layers draw theirs.
///
/// - Parameter architecture: what kind of network, as described above.
/// - Parameter seed: of the weights; the same seed gives the same weights.
/// - Parameter out: the network, to be destroyed with `dafl_network_destroy`; NULL on failure.
/// - Returns: DAFL_ERROR_INVALID_ARGUMENT for an unknown or impossible architecture, DAFL_ERROR_OUT_OF_MEMORY.
@c @implementation
public func dafl_network_create(
    _ architecture: UnsafePointer<CChar>?, _ seed: UInt64, _ out: UnsafeMutablePointer<NetworkHandle?>?
) -> dafl_status {
    answering {
        let out = try require(out, "out")
        out.pointee = nil
        let network = try Network(description: requireText(architecture, "architecture"))
        var random = Philox(seed: seed, stream: .weights)
        network.initialise(&random)
        out.pointee = makeHandle(NetworkObject(network))
    }
}

/// Reads a network from a file, of which its content tells the kind. A safetensors file is one that `dafl_network_save` wrote,
/// or any whose metadata has its "architecture" and whose tensors have its names and shapes; numbers of F32, F16, BF16 and F64
/// become float32. An ONNX file is a classifier of the operators that docs/networks.md lists: its inputs are taken channels
/// first, its outputs are logits, and what the file has before and after is remembered.
///
/// - Parameter path: of the file.
/// - Parameter out: the network, to be destroyed with `dafl_network_destroy`; NULL on failure.
/// - Returns: DAFL_ERROR_IO when the file cannot be read; DAFL_ERROR_FORMAT when it is not such a file, is damaged or holds
///   numbers that are not finite as float32 or negative variances; DAFL_ERROR_UNSUPPORTED for tensors of integers and other
///   types, and for operators that no layer stands for, with the node; DAFL_ERROR_INVALID_ARGUMENT for an ONNX file that leaves
///   the size of its input free; DAFL_ERROR_OUT_OF_MEMORY.
@c @implementation
public func dafl_network_load(
    _ path: UnsafePointer<CChar>?, _ out: UnsafeMutablePointer<NetworkHandle?>?
) -> dafl_status {
    answering {
        let out = try require(out, "out")
        out.pointee = nil
        out.pointee = makeHandle(NetworkObject(try NetworkFile(path: requirePath(path, "path")).load()))
    }
}

/// Reads a network from a safetensors file that need not name its architecture, as PyTorch's tools write them.
///
/// - Parameter path: of the file.
/// - Parameter architecture: what kind of network, as described above.
/// - Parameter out: the network, to be destroyed with `dafl_network_destroy`; NULL on failure.
/// - Returns: as `dafl_network_load`; also DAFL_ERROR_FORMAT when the file names another architecture, and
///   DAFL_ERROR_INVALID_ARGUMENT for an unknown or impossible one.
@c @implementation
public func dafl_network_load_as(
    _ path: UnsafePointer<CChar>?, _ architecture: UnsafePointer<CChar>?, _ out: UnsafeMutablePointer<NetworkHandle?>?
) -> dafl_status {
    answering {
        let out = try require(out, "out")
        out.pointee = nil
        var file = NetworkFile(path: try requirePath(path, "path"))
        file.architecture = try requireText(architecture, "architecture")
        out.pointee = makeHandle(NetworkObject(try file.load()))
    }
}

/// Fills in the defaults.
///
/// - Parameter struct_size: sizeof the caller's struct.
@c @implementation
public func dafl_load_options_init(_ options: UnsafeMutablePointer<dafl_load_options>?, _ struct_size: Int) -> dafl_status {
    answering {
        try SizedStruct.initialise(options, "options", size: struct_size, .defaults)
    }
}

/// Reads a network from a file of which something must be said.
///
/// - Parameter path: of the file.
/// - Parameter options: initialised before with `dafl_load_options_init`; what a kind of file has no use for must not be given.
/// - Parameter out: the network, to be destroyed with `dafl_network_destroy`; NULL on failure.
/// - Returns: as `dafl_network_load`.
@c @implementation
public func dafl_network_load_with(
    _ path: UnsafePointer<CChar>?, _ options: UnsafePointer<dafl_load_options>?,
    _ out: UnsafeMutablePointer<NetworkHandle?>?
) -> dafl_status {
    answering {
        let out = try require(out, "out")
        out.pointee = nil
        let options = try SizedStruct.read(options, "options")
        var file = NetworkFile(path: try requirePath(path, "path"))
        try options.describe(&file)
        out.pointee = makeHandle(NetworkObject(try file.load()))
    }
}

/// Reads a network from a file in memory; weights that an ONNX model keeps in files of their own cannot be read.
///
/// - Parameter data: the file's bytes, needed no longer than the call.
/// - Parameter size: how many.
/// - Parameter options: initialised before with `dafl_load_options_init`, or NULL for the defaults.
/// - Parameter out: the network, to be destroyed with `dafl_network_destroy`; NULL on failure.
/// - Returns: as `dafl_network_load`.
@c @implementation
public func dafl_network_load_memory(
    _ data: UnsafeRawPointer?, _ size: Int64, _ options: UnsafePointer<dafl_load_options>?,
    _ out: UnsafeMutablePointer<NetworkHandle?>?
) -> dafl_status {
    answering {
        let out = try require(out, "out")
        out.pointee = nil
        let bytes = UnsafeRawBufferPointer(
            start: try require(data, "data"), count: try requireWhole(size, "size", 1...Int.max))
        let options = try options.map { try SizedStruct.read($0, "options") } ?? .defaults
        var file = NetworkFile(MemoryBytes(borrowing: bytes))
        try options.describe(&file)
        out.pointee = makeHandle(NetworkObject(try file.load()))
    }
}

extension dafl_load_options {
    fileprivate func describe(_ file: inout NetworkFile) throws {
        file.architecture = try architecture.map { try requireText($0, "architecture") }
        file.feature = try feature.map { try requireText($0, "feature") }
        file.output = try output.map { try requireText($0, "output") }
        file.inputShape = try inputShape()
    }

    /// nil when it is left to the file; a vector has height and width 1.
    fileprivate func inputShape() throws -> [Int]? {
        let sizes = [input_shape.0, input_shape.1, input_shape.2]
        guard sizes.contains(where: { $0 != 0 }) else { return nil }
        return try sizes.map { try requireWhole($0, "input_shape", 1...1 << 30) }
    }
}

/// Writes a network, its architecture and its weights: to an ONNX file where the path ends in .onnx, else to a safetensors
/// file. The file is written beside its place and then renamed, so there is never half a file at `path`, and what was there
/// stays there on failure.
///
/// - Parameter path: of the file; its folder must exist.
/// - Returns: DAFL_ERROR_IO when the file cannot be written, DAFL_ERROR_INVALID_ARGUMENT for weights that are not finite.
@c @implementation
public func dafl_network_save(_ network: NetworkHandle?, _ path: UnsafePointer<CChar>?) -> dafl_status {
    answering {
        try using(network, "network", as: NetworkObject.self, .shared) { object in
            let path = try requirePath(path, "path")
            if path.lowercased().hasSuffix(".onnx") {
                try object.network.save(onnx: path, version: DAFL_VERSION)
            } else {
                try object.network.save(path: path)
            }
        }
    }
}

/// Writes a network to an ONNX file for other engines, with the names of input and output, and the layout of images, that the
/// file it came from has.
///
/// - Parameter path: of the file; its folder must exist.
/// - Parameter softmax: 1 for probabilities as outputs, by a softmax, or a sigmoid of a single output; 0 for logits; -1 for
///   what the network remembers of the file that it came from.
/// - Returns: as `dafl_network_save`.
@c @implementation
public func dafl_network_save_onnx(_ network: NetworkHandle?, _ path: UnsafePointer<CChar>?, _ softmax: Int64) -> dafl_status {
    answering {
        try using(network, "network", as: NetworkObject.self, .shared) { object in
            let softmax = try requireWhole(softmax, "softmax", -1...1)
            try object.network.save(
                onnx: requirePath(path, "path"), softmax: softmax < 0 ? nil : softmax == 1, version: DAFL_VERSION)
        }
    }
}

/// Writes a network to a safetensors file of its own kind, in which zeros and shared weights, as `dafl_network_compress` makes
/// them, take few bits, by Huffman codes. `dafl_network_load` reads it; other tools do not. docs/compression.md has the format.
///
/// - Parameter path: of the file; its folder must exist.
/// - Returns: as `dafl_network_save`.
@c @implementation
public func dafl_network_save_compressed(_ network: NetworkHandle?, _ path: UnsafePointer<CChar>?) -> dafl_status {
    answering {
        try using(network, "network", as: NetworkObject.self, .shared) { object in
            try object.network.savePacked(path: requirePath(path, "path"))
        }
    }
}

/// Folds batch normalisations into the convolutions and linear layers that they follow: a network with the same outputs, to
/// about 1e-5 of the largest, in fewer steps. For use, not for more training.
///
/// - Parameter out: the new network, to be destroyed with `dafl_network_destroy`; NULL on failure.
/// - Returns: DAFL_ERROR_OUT_OF_MEMORY.
@c @implementation
public func dafl_network_fold(_ network: NetworkHandle?, _ out: UnsafeMutablePointer<NetworkHandle?>?) -> dafl_status {
    answering {
        let out = try require(out, "out")
        out.pointee = nil
        try using(network, "network", as: NetworkObject.self, .shared) { object in
            out.pointee = makeHandle(NetworkObject(try object.network.foldingBatchNorms()))
        }
    }
}

/// Tells what a network is.
///
/// - Parameter out: filled in; its struct_size must be set before.
@c @implementation
public func dafl_network_describe(_ network: NetworkHandle?, _ out: UnsafeMutablePointer<dafl_network_info>?) -> dafl_status {
    answering {
        try using(network, "network", as: NetworkObject.self, .shared) { object in
            try SizedStruct.fill(out, "out", object.info)
        }
    }
}

/// Tells a network's graph as a description in JSON, with the attributes that were left out, for programs that compute it by
/// other means. docs/networks.md has the kinds of nodes and their attributes.
///
/// - Parameter out: the text, which lives as long as the network; NULL on failure.
/// - Returns: DAFL_ERROR_OUT_OF_MEMORY.
@c @implementation
public func dafl_network_graph(
    _ network: NetworkHandle?, _ out: UnsafeMutablePointer<UnsafePointer<CChar>?>?
) -> dafl_status {
    answering {
        let out = try require(out, "out")
        out.pointee = nil
        try using(network, "network", as: NetworkObject.self, .shared) { out.pointee = try $0.graph() }
    }
}

/// Shows a tensor by its index, in PyTorch's order.
///
/// - Parameter index: from 0 to the network's number of tensors - 1.
/// - Parameter out: filled in; its struct_size must be set before. What it points to belongs to the network.
@c @implementation
public func dafl_network_tensor(
    _ network: NetworkHandle?, _ index: Int64, _ out: UnsafeMutablePointer<dafl_tensor>?
) -> dafl_status {
    answering {
        try using(network, "network", as: NetworkObject.self, .shared) { object in
            let index = try requireIndex(index, in: object.network.parameters)
            try SizedStruct.fill(out, "out", object.tensor(index))
        }
    }
}

/// Shows a tensor by its name.
///
/// - Parameter name: PyTorch's, for example "conv1.weight".
/// - Parameter out: filled in; its struct_size must be set before. What it points to belongs to the network.
@c @implementation
public func dafl_network_tensor_named(
    _ network: NetworkHandle?, _ name: UnsafePointer<CChar>?, _ out: UnsafeMutablePointer<dafl_tensor>?
) -> dafl_status {
    answering {
        try using(network, "network", as: NetworkObject.self, .shared) { object in
            try SizedStruct.fill(out, "out", object.tensor(try index(of: name, in: object.network)))
        }
    }
}

/// Sets a tensor's numbers.
///
/// - Parameter name: PyTorch's, for example "conv1.weight".
/// - Parameter data: row-major numbers, copied; all must be finite, and a running_var's at least 0.
/// - Parameter count: how many, which must be the tensor's own count.
@c @implementation
public func dafl_network_set_tensor(
    _ network: NetworkHandle?, _ name: UnsafePointer<CChar>?, _ data: UnsafePointer<Float>?, _ count: Int64
) -> dafl_status {
    answering {
        try using(network, "network", as: NetworkObject.self) { object in
            let parameter = object.network.parameters[try index(of: name, in: object.network)]
            let data = try require(data, "data")
            guard count == Int64(parameter.value.count) else {
                throw DaflError.invalid("count", count, "\(parameter.value.count), the size of \(parameter.name)")
            }
            if let bad = parameter.firstRefused(of: data) {
                throw DaflError.invalid("data[\(bad)] for \(parameter.name)", data[bad], parameter.allowed.rawValue)
            }
            parameter.value.load(data)
        }
    }
}

private func requireIndex(_ index: Int64, in parameters: [Parameter]) throws -> Int {
    guard let last = parameters.indices.last else { throw DaflError.invalid("index", index, "left alone: the network has no tensors") }
    return try requireWhole(index, "index", 0...last)
}

private func index(of name: UnsafePointer<CChar>?, in network: Networks.Network) throws -> Int {
    let name = try requireText(name, "name")
    guard let index = network.parameters.firstIndex(where: { $0.name == name }) else {
        let names = network.parameters.map(\.name).joined(separator: ", ")
        throw DaflError.invalid("name", "\"\(name)\"", "one of \(names)")
    }
    return index
}

/// Says how many threads each call of this network's predict, features, evaluate and train uses.
///
/// - Parameter threads: from 1 to 1024; 0, as at first, means as many as the processors this process may use, of which
///   a control group may grant it a share. Where the system refuses threads, there are fewer.
@c @implementation
public func dafl_network_set_threads(_ network: NetworkHandle?, _ threads: Int64) -> dafl_status {
    answering {
        try using(network, "network", as: NetworkObject.self) { object in
            object.setThreads(try requireWhole(threads, "threads", 0...1024))
        }
    }
}

/// Runs a network.
///
/// - Parameter images: inputs [count, channels, height, width].
/// - Parameter count: how many, at least 1.
/// - Parameter outputs: outputs [count, outputs], a classifier's before the softmax; written.
@c @implementation
public func dafl_network_predict(
    _ network: NetworkHandle?, _ images: UnsafePointer<Float>?, _ count: Int64, _ outputs: UnsafeMutablePointer<Float>?
) -> dafl_status {
    answering {
        try using(network, "network", as: NetworkObject.self, .shared) { object in
            let images = try require(images, "images")
            let outputs = try require(outputs, "outputs")
            let count = try requireRows(count, of: object.network.inputShape.count)
            try object.withWorker { try $0.predictor.predict(rows: images, count: count, outputs: outputs) }
        }
    }
}

/// Runs a network up to its features, the activations before its last fully connected block.
///
/// - Parameter images: inputs [count, channels, height, width].
/// - Parameter count: how many, at least 1.
/// - Parameter features: features [count, features]; written.
/// - Returns: DAFL_ERROR_UNSUPPORTED for a network that has none.
@c @implementation
public func dafl_network_features(
    _ network: NetworkHandle?, _ images: UnsafePointer<Float>?, _ count: Int64, _ features: UnsafeMutablePointer<Float>?
) -> dafl_status {
    answering {
        try using(network, "network", as: NetworkObject.self, .shared) { object in
            let images = try require(images, "images")
            let features = try require(features, "features")
            let count = try requireRows(count, of: object.network.inputShape.count)
            try object.withWorker { try $0.predictor.features(rows: images, count: count, features: features) }
        }
    }
}

/// Measures a classifier on labelled images.
///
/// - Parameter images: inputs [count, channels, height, width].
/// - Parameter labels: the class of each, from 0 to outputs - 1; 0 or 1 of a network with one output, the logit of class 1.
/// - Parameter count: how many, at least 1.
/// - Parameter out: the share of images, in [0, 1], whose largest output is their label's.
/// - Returns: DAFL_ERROR_DIVERGED when outputs are not finite, so that none is the largest.
@c @implementation
public func dafl_network_evaluate(
    _ network: NetworkHandle?, _ images: UnsafePointer<Float>?, _ labels: UnsafePointer<Int64>?, _ count: Int64,
    _ out: UnsafeMutablePointer<Double>?
) -> dafl_status {
    answering {
        try using(network, "network", as: NetworkObject.self, .shared) { object in
            let examples = try Examples(images, labels, count, for: object.network)
            let out = try require(out, "out")
            out.pointee = try object.withWorker {
                try $0.predictor.accuracy(rows: examples.images, labels: examples.labels, count: examples.count)
            }
        }
    }
}

/// Fills in the defaults.
///
/// - Parameter struct_size: sizeof the caller's struct.
@c @implementation
public func dafl_train_options_init(_ options: UnsafeMutablePointer<dafl_train_options>?, _ struct_size: Int) -> dafl_status {
    answering {
        try SizedStruct.initialise(options, "options", size: struct_size, .defaults)
    }
}

/// Trains a classifier on labelled images with the cross entropy of its outputs: for teachers, and for the students that a
/// distilled one is compared with. On failure, and when on_epoch or on_step stops it, the weights are those that it has come to.
///
/// - Parameter images: inputs [count, channels, height, width].
/// - Parameter labels: the class of each, from 0 to outputs - 1; 0 or 1 of a network with one output, the logit of class 1.
/// - Parameter count: how many, at least 1.
/// - Parameter options: initialised before with `dafl_train_options_init`.
/// - Returns: DAFL_ERROR_DIVERGED when the loss or a weight is no longer finite, or what on_epoch
///   or on_step returned.
@c @implementation
public func dafl_network_train(
    _ network: NetworkHandle?, _ images: UnsafePointer<Float>?, _ labels: UnsafePointer<Int64>?, _ count: Int64,
    _ options: UnsafePointer<dafl_train_options>?
) -> dafl_status {
    answering {
        try using(network, "network", as: NetworkObject.self) { object in
            let examples = try Examples(images, labels, count, for: object.network)
            let c = try SizedStruct.read(options, "options")
            let training = try SupervisedTraining(c)
            try object.withWorker { worker in
                try training.train(
                    object.network, rows: examples.images, labels: examples.labels, count: examples.count, worker.compute,
                    onStep: { step, steps, loss in
                        let code = FloatingPoint.ofTheHost { c.on_step?(c.user_data, Int64(step), Int64(steps), loss) }
                        if let code, code != 0 { throw CallbackStop(code: code, callback: "on_step") }
                    },
                    onEpoch: { epoch, loss in
                        let code = FloatingPoint.ofTheHost {
                            c.on_epoch?(c.user_data, Int64(epoch), Int64(training.epochs), loss)
                        }
                        if let code, code != 0 { throw CallbackStop(code: code, callback: "on_epoch") }
                    })
            }
        }
    }
}

/// Frees a network. NULL is allowed.
@c @implementation
public func dafl_network_destroy(_ network: NetworkHandle?) {
    destroyHandle(network)
}

/// Labelled images of a caller that fit a network.
private struct Examples {
    let images: UnsafePointer<Float>
    let labels: UnsafePointer<Int64>
    let count: Int

    init(
        _ images: UnsafePointer<Float>?, _ labels: UnsafePointer<Int64>?, _ count: Int64, for network: Networks.Network
    ) throws {
        self.images = try require(images, "images")
        self.labels = try require(labels, "labels")
        self.count = try requireRows(count, of: network.inputShape.count)
        let classes = max(network.outputShape.count, 2)  // one output is the logit of the second of two
        for i in 0..<self.count where !(0..<Int64(classes)).contains(self.labels[i]) {
            throw DaflError.invalid("labels[\(i)]", self.labels[i], "from 0 to \(classes - 1)")
        }
    }
}
