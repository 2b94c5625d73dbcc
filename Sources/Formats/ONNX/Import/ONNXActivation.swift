/// A tensor of the file that depends on the network's input: which node of our graph computes it, and how ONNX's view of a
/// sample lies in what that node gives.
///
/// Transpose, Reshape, Squeeze and their like only change the view. So a channels-last file's transposes come in pairs that
/// vanish, and flattening before a linear layer costs nothing.
struct ONNXActivation {
    /// In our graph, `Graph.input` too.
    var node: String
    /// The shape of what the node gives.
    var stored: [Int]
    /// The axes of `stored` in ONNX's order of elements: [1, 2, 0] of stored [C, H, W] is ONNX's [H, W, C].
    var order: [Int]
    /// ONNX's dimensions behind the batch: as many elements, in that order.
    var dimensions: [Int]
    /// When ONNX has whole numbers here: what each stands for, which is what the node gives.
    var quantisation: ONNXQuantisation?
    /// Whether anything else reads the node, so that it may not change.
    var isShared = false

    /// Stored as ONNX has it.
    init(_ node: String, _ stored: [Int], dimensions: [Int]? = nil) {
        (self.node, self.stored, self.dimensions) = (node, stored, dimensions ?? stored)
        order = Array(stored.indices)
    }

    var count: Int { stored.reduce(1, *) }

    /// Whether its elements lie in ONNX's order.
    var isInOrder: Bool {
        let places = order.filter { stored[$0] != 1 }
        return zip(places, places.dropFirst()).allSatisfy { $0 < $1 }
    }

    /// Which axis of `stored` is ONNX's axis i; nil when there is no such correspondence, as after flattening.
    var axes: [Int]? {
        var (axes, places) = ([Int](), order[...])
        for size in dimensions {
            while let place = places.first, stored[place] != size, stored[place] == 1 { places.removeFirst() }
            guard let place = places.popFirst(), stored[place] == size else { return nil }
            axes.append(place)
        }
        return places.allSatisfy { stored[$0] == 1 } ? axes : nil
    }

    /// Which of ONNX's axes each axis of `stored` is; nil for one that ONNX does not have, of size 1.
    /// - Parameter axes: its own.
    func layout(_ axes: [Int]) -> [Int?] { stored.indices.map { axes.firstIndex(of: $0) } }

    /// With ONNX's axes in another order.
    /// - Parameter axes: its own.
    func permuted(_ permutation: [Int], _ axes: [Int]) -> ONNXActivation {
        var result = self
        result.dimensions = permutation.map { dimensions[$0] }
        result.order = permutation.map { axes[$0] } + stored.indices.filter { !axes.contains($0) }
        return result
    }

    /// The result of a node that works on each number, or channel, alike.
    func computed(by node: String) -> ONNXActivation {
        var result = self
        (result.node, result.isShared) = (node, false)
        return result
    }

    /// For each element in ONNX's order, where it is stored.
    func places() -> ONNXOdometer {
        ONNXOdometer(sizes: order.map { stored[$0] }, strides: order.map { strides(of: stored)[$0] })
    }
}

/// What whole numbers stand for: (number - zero) scale.
struct ONNXQuantisation: Equatable {
    let scale: Float
    let zero: Int
}

/// The strides of a row-major array.
func strides(of dimensions: [Int]) -> [Int] {
    var (strides, step) = ([Int](repeating: 1, count: dimensions.count), 1)
    for axis in dimensions.indices.reversed() {
        strides[axis] = step
        step *= max(dimensions[axis], 1)
    }
    return strides
}

/// Offsets of the elements of an array that is walked in row-major order of some sizes, in memory of any strides: those of a
/// transposed array, or 0 where one is broadcast.
struct ONNXOdometer: Sequence, IteratorProtocol {
    private let sizes: [Int]
    private let strides: [Int]
    private var index: [Int]
    private var offset: Int
    private var left: Int

    /// - Parameter start: where the first element is.
    init(sizes: [Int], strides: [Int], start: Int = 0) {
        (self.sizes, self.strides, offset) = (sizes, strides, start)
        index = [Int](repeating: 0, count: sizes.count)
        left = sizes.reduce(1, *)
    }

    mutating func next() -> Int? {
        guard left > 0 else { return nil }
        left -= 1
        defer { advance() }
        return offset
    }

    private mutating func advance() {
        for axis in sizes.indices.reversed() {
            index[axis] += 1
            offset += strides[axis]
            if index[axis] < sizes[axis] { return }
            offset -= strides[axis] * sizes[axis]
            index[axis] = 0
        }
    }
}
