import LaneKernels
import Numerics

/// Nodes that are done in one step: a convolution, and of what follows it a batch normalisation, the sum with another
/// node's output and an activation, each where there is one and nothing else reads what lies between. A batch normalisation or
/// a PReLU without a convolution counts as one of a single tap.
struct SingleGroup {
    private(set) var convolution: Convolution?
    private(set) var norm: BatchNorm?
    private(set) var residual: Int?
    private(set) var activation: (any Layer)?
    let input: Int
    let inputShape: Shape
    let outputShape: Shape
    /// Whether Winograd's algorithm does it.
    private(set) var usesWinograd = false
    /// The last of them, whose output is the step's.
    private(set) var node: Int
    private(set) var members: [Int]

    /// The groups of a network, by their last nodes.
    static func groups(of network: Network, _ compute: Compute) -> [Int: SingleGroup] {
        var readers = [[Int]](repeating: [], count: network.nodes.count)
        for (index, node) in network.nodes.enumerated() {
            for input in node.inputs where input != Network.input { readers[input].append(index) }
        }
        var groups: [Int: SingleGroup] = [:]
        var taken: Set<Int> = []
        for index in network.nodes.indices where !taken.contains(index) {
            guard var group = SingleGroup(network, index) else { continue }
            while readers[group.node].count == 1, let next = readers[group.node].first, !taken.contains(next) {
                guard group.take(network, next) else { break }
            }
            taken.formUnion(group.members)
            group.usesWinograd = compute.usesWinograd && group.paysInWinograd
            groups[group.node] = group
        }
        return groups
    }

    /// nil for a node that begins none.
    private init?(_ network: Network, _ index: Int) {
        let node = network.nodes[index]
        guard let source = node.inputs.first else { return nil }
        (input, self.node, members) = (source, index, [index])
        (inputShape, outputShape) = (network.shapes(of: [source])[0], node.outputShape)
        guard inputShape.isPlanes, outputShape.isPlanes else { return nil }
        switch node.layer {
        case let layer as Convolution:
            guard !layer.coversInput(of: inputShape) else { return nil }
            convolution = layer
        case let layer as BatchNorm: norm = layer
        case let layer as PReLU: activation = layer
        default: return nil
        }
    }

    /// Whether a node that follows could become part of it.
    private mutating func take(_ network: Network, _ index: Int) -> Bool {
        let next = network.nodes[index]
        guard activation == nil, next.outputShape == outputShape else { return false }
        switch next.layer {
        case let layer as BatchNorm where norm == nil && residual == nil: norm = layer
        case is Add where residual == nil:
            let others = next.inputs.filter { $0 != node }
            guard next.inputs.count == 2, others.count == 1,
                network.shapes(of: others)[0] == outputShape
            else { return false }
            residual = others[0]
        case is LeakyReLU, is PReLU: activation = next.layer
        case let layer as Activation where layer.function == LANE_CLIP: activation = layer
        default: return false
        }
        node = index
        members.append(index)
        return true
    }
}

extension SingleGroup {
    /// Whether each channel is made of its own.
    var isDepthwise: Bool {
        guard let geometry = convolution?.geometry else { return true }
        return geometry.groups == geometry.inputs && geometry.groups == geometry.outputs
    }

    /// The zeros that its taps meet around the input.
    var border: Border {
        guard let geometry = convolution?.geometry else { return .none }
        let ((_, height, width), (_, outputHeight, outputWidth)) = (
            inputShape.channelsHeightWidth, outputShape.channelsHeightWidth
        )
        let (span, stride, padding) = (geometry.span, geometry.stride, geometry.padding)
        // Whole tiles.
        let side = usesWinograd ? 4 : 1
        let (rows, columns) = ((outputHeight + side - 1) / side * side, (outputWidth + side - 1) / side * side)
        return Border(
            top: padding.top, left: padding.left,
            bottom: max(0, (rows - 1) * stride.y + span.y - padding.top - height),
            right: max(0, (columns - 1) * stride.x + span.x - padding.left - width))
    }

    /// Whether Winograd's algorithm fits, and beats the direct one.
    private var paysInWinograd: Bool {
        guard let geometry = convolution?.geometry else { return false }
        let (_, height, width) = outputShape.channelsHeightWidth
        let tiles = (height + 3) / 4 * ((width + 3) / 4)
        let (inputs, outputs) = (geometry.inputs, geometry.outputs)
        // With few tiles the products wait for their own sums, and for weights where these leave the cache.
        let weighs = max(tiles, 36 * inputs * outputs > 1 << 18 ? 12 : 4)
        return geometry.fitsWinograd && inputs * outputs >= 4 * (inputs + outputs) && height * width >= 6 * weighs
    }
}

extension Shape {
    /// Whether it is [channels, height, width], where the last may be left out.
    var isPlanes: Bool { (1...3).contains(rank) }
}

extension Convolution {
    /// Whether the kernel is as large as its input: a linear layer.
    func coversInput(of shape: Shape) -> Bool {
        let (_, height, width) = shape.channelsHeightWidth
        return geometry.padding == .none && geometry.dilation.isBoth(1) && geometry.groups == 1
            && geometry.kernel == Extent(y: height, x: width)
    }
}
