import CDafl
import Formats
import Glibc
import Networks
import Numerics
import Training

/// What a `dafl_network *` points to. Calls that read it, several at a time, each take a worker of their own.
final class NetworkObject: HandledObject {
    let network: Network
    private var threads = 0
    /// Those that no call has taken.
    private let workers = Locked<[Worker]>([])
    /// C strings that live as long as the network.
    private let architecture: UnsafeMutablePointer<CChar>?
    private let inputName: UnsafeMutablePointer<CChar>?
    private let outputName: UnsafeMutablePointer<CChar>?
    private let names: [UnsafeMutablePointer<CChar>?]
    private let graphText = Locked<UnsafeMutablePointer<CChar>?>(nil)

    init(_ network: Network) {
        self.network = network
        architecture = strdup(network.description)
        inputName = strdup(network.graph.interface.inputName)
        outputName = strdup(network.graph.interface.outputName)
        names = network.parameters.map { strdup($0.name) }
    }

    deinit {
        free(architecture)
        for name in names + [inputName, outputName] { free(name) }
        graphText.withLock { free($0) }
    }

    /// Its graph in full as JSON, written when it is first asked for.
    func graph() throws -> UnsafePointer<CChar> {
        try graphText.withLock { text in
            if let text { return UnsafePointer(text) }
            guard let copy = strdup(network.fullGraph.json) else {
                throw DaflError(.outOfMemory, "there is no memory for the network's description")
            }
            text = copy
            return UnsafePointer(copy)
        }
    }

    /// Threads, and memory for the network's activations. One call uses it at a time.
    final class Worker: @unchecked Sendable {
        let compute: Compute
        let predictor: Predictor

        fileprivate init(_ network: Network, threads: Int) throws {
            compute = try Compute(threads: threads, level: InstructionSet.level(named: "auto"))
            predictor = try Predictor(network, compute)
        }
    }

    /// Calls `body` with a worker that no other call has, made when all are taken. There come to be as many as calls at once.
    func withWorker<Result>(_ body: (Worker) throws -> Result) throws -> Result {
        let worker = try workers.withLock { $0.popLast() } ?? Worker(network, threads: threads)
        defer { workers.withLock { $0.append(worker) } }
        return try body(worker)
    }

    func setThreads(_ threads: Int) {
        workers.withLock { $0 = [] }
        self.threads = threads
    }

    var info: dafl_network_info {
        var info = dafl_network_info()
        info.architecture = UnsafePointer(architecture)
        let (channels, height, width) = network.inputShape.channelsHeightWidth
        info.input_shape = (Int64(channels), Int64(height), Int64(width))
        info.outputs = Int64(network.outputShape.count)
        info.features = Int64(network.featureShape?.count ?? 0)
        info.tensors = Int64(network.parameters.count)
        info.parameters = Int64(network.parameterCount)
        info.multiply_adds = Int64(network.multiplyAdds)
        let interface = network.graph.interface
        info.input_name = UnsafePointer(inputName)
        info.output_name = UnsafePointer(outputName)
        info.head = StaticText.lasting(interface.head.rawValue)
        info.channels_last = interface.isChannelsLast ? 1 : 0
        return info
    }

    /// - Parameter index: of a parameter of the network.
    func tensor(_ index: Int) -> dafl_tensor {
        let value = network.parameters[index].value
        var tensor = dafl_tensor()
        tensor.name = UnsafePointer(names[index])
        tensor.data = UnsafePointer(value.pointer)
        tensor.count = Int64(value.count)
        tensor.rank = Int64(value.shape.rank)
        withUnsafeMutableBytes(of: &tensor.shape) { bytes in
            let shape = bytes.bindMemory(to: Int64.self)
            for axis in 0..<min(value.shape.rank, shape.count) { shape[axis] = Int64(value.shape[axis]) }
        }
        return tensor
    }
}
