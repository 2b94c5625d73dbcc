import Networks
import Numerics

extension ONNXImport {
    /// Kernel and steps of a window that moves over an image, as [vertical, horizontal].
    struct Window {
        var kernel: [Int]
        var stride: [Int]
        var dilation: [Int]
        /// [top, left, bottom, right]
        var padding: [Int]

        /// Pixels from its first to its last.
        func span(_ axis: Int) -> Int { (kernel[axis] - 1) * dilation[axis] + 1 }

        /// How many places it has along an axis of `size` pixels.
        func places(_ size: Int, _ axis: Int, roundingUp: Bool = false) -> Int {
            let room = size + padding[axis] + padding[axis + 2] - span(axis)
            guard room >= 0 else { return 0 }
            let places = (roundingUp ? room + stride[axis] - 1 : room) / stride[axis] + 1
            // A place that begins behind the image and its border before it is none.
            return roundingUp && (places - 1) * stride[axis] >= size + padding[axis] ? places - 1 : places
        }
    }

    static let extents = 1...(1 << 20)

    /// - Parameter kernel: what the attribute has to say when it is there, or what it is by default; its count is the number of
    ///   directions.
    func window(_ operation: ONNXOperator, kernel: [Int], image: ONNXActivation) throws -> Window {
        let count = kernel.count
        guard count == 1 || count == 2, image.dimensions.count == count + 1 else {
            throw operation.unsupported(
                "has a window of \(count) dimensions on an input of \(image.dimensions.count - 1); images have 2, signals 1"
            )
        }
        guard kernel.allSatisfy(Self.extents.contains) else { throw operation.malformed("has a kernel of \(kernel)") }
        let pad = [Int](repeating: 1, count: 2 - count)
        var window = Window(
            kernel: kernel + pad, stride: try operation.extents("strides", Self.extents, count: count, or: 1) + pad,
            dilation: try operation.extents("dilations", Self.extents, count: count, or: 1) + pad, padding: [0, 0, 0, 0])
        switch try operation.text("auto_pad", or: "NOTSET") {
        case "NOTSET", "":
            let pads = try operation.extents("pads", 0...(1 << 20), count: 2 * count, or: 0)
            for axis in 0..<count { (window.padding[axis], window.padding[axis + 2]) = (pads[axis], pads[axis + count]) }
        case "VALID": break
        case let mode where mode == "SAME_UPPER" || mode == "SAME_LOWER":
            for axis in 0..<count {
                let size = image.stored[axis + 1]
                let places = (size + window.stride[axis] - 1) / window.stride[axis]
                let border = max((places - 1) * window.stride[axis] + window.span(axis) - size, 0)
                let (small, large) = (border / 2, border - border / 2)
                (window.padding[axis], window.padding[axis + 2]) = mode == "SAME_UPPER" ? (small, large) : (large, small)
            }
        case let mode: throw operation.malformed("has auto_pad \(quoted(mode))")
        }
        return window
    }

    /// The attributes of a window, without those that have their defaults.
    func attributes(_ window: Window, kernel name: String, strideDefault: [Int]) -> [String: Attribute] {
        var attributes = [name: Self.extent(window.kernel)]
        if window.stride != strideDefault { attributes["stride"] = Self.extent(window.stride) }
        if window.dilation != [1, 1] { attributes["dilation"] = Self.extent(window.dilation) }
        if window.padding != [0, 0, 0, 0] { attributes["padding"] = Self.border(window.padding) }
        return attributes
    }

    static func extent(_ pair: [Int]) -> Attribute { pair[0] == pair[1] ? .integer(pair[0]) : .integers(pair) }

    static func border(_ sides: [Int]) -> Attribute {
        if sides.allSatisfy({ $0 == sides[0] }) { return .integer(sides[0]) }
        return .integers(sides[0] == sides[2] && sides[1] == sides[3] ? Array(sides[..<2]) : sides)
    }

    /// The weights' shape, with the kernel in two dimensions: [outputs, inputs / groups, ky, kx].
    private func weightShape(_ operation: ONNXOperator, _ weight: ONNXTensor) throws -> [Int] {
        let shape = weight.dimensions
        guard (3...4).contains(shape.count), shape.allSatisfy(Self.extents.contains) else {
            throw operation.unsupported("has weights of shape \(printable("\(shape)")); those of images have 4 dimensions")
        }
        if let kernel = try operation.integers("kernel_shape"), kernel != Array(shape[2...]) {
            throw operation.malformed("has weights of shape \(shape) for a kernel \(printable("\(kernel)"))")
        }
        return shape + [Int](repeating: 1, count: 4 - shape.count)
    }

    func convolution(_ operation: ONNXOperator) throws -> ONNXValue {
        let (weight, bias) = (try operation.constant(1), try operation.optionalConstant(2))
        let shape = try weightShape(operation, weight)
        var image = try image(operation.activation(0), operation)
        var window = try window(operation, kernel: Array(weight.dimensions[2...]), image: image)
        absorbPadding(&image, &window)
        let groups = try operation.integer("group", or: 1)
        guard groups >= 1, image.stored[0] == shape[1].multipliedReportingOverflow(by: groups).partialValue,
            shape[0] % groups == 0, bias.map({ $0.count == shape[0] }) ?? true
        else {
            throw operation.malformed(
                "has weights of shape \(shape) and \(groups) groups on an input of shape \(image.dimensions)")
        }
        let size = (window.places(image.stored[1], 0), window.places(image.stored[2], 1))
        guard size.0 > 0, size.1 > 0 else {
            throw operation.malformed("is larger than its input of shape \(image.dimensions)")
        }

        var attributes = attributes(window, kernel: "kernel", strideDefault: [1, 1])
        attributes["outputs"] = .integer(shape[0])
        if groups != 1 { attributes["groups"] = .integer(groups) }
        if bias == nil { attributes["bias"] = false }
        let node = try add("convolution", operation, [image.node], attributes, weight: 1)
        fill("\(node).weight", weight)
        if let bias { fill("\(node).bias", bias) }
        if image.stored[1] == 1 && image.stored[2] == 1 { pixelConvolutions.insert(node) }
        return .activation(result(node, [shape[0], size.0, size.1], like: image))
    }

    /// An image of as many dimensions as the file has there.
    func result(_ node: String, _ stored: [Int], like image: ONNXActivation) -> ONNXActivation {
        ONNXActivation(node, stored, dimensions: Array(stored.prefix(image.dimensions.count)))
    }

    /// Lets the window take the zeros that a node before it puts around the image.
    private func absorbPadding(_ image: inout ONNXActivation, _ window: inout Window) {
        guard let pad = node(image.node), pad.kind.rawValue == "pad", pad.attributes["mode"] == nil,
            pad.attributes["value"] == nil,
            case .integers(let before)? = pad.attributes["before"], case .integers(let after)? = pad.attributes["after"],
            before.count == 3, before[0] == 0, after[0] == 0, image.stored.count == 3
        else { return }
        for axis in 0..<2 {
            image.stored[axis + 1] -= before[axis + 1] + after[axis + 1]
            window.padding[axis] += before[axis + 1]
            window.padding[axis + 2] += after[axis + 1]
        }
        image.node = pad.inputs[0]
    }

    func transposedConvolution(_ operation: ONNXOperator) throws -> ONNXValue {
        let (weight, bias) = (try operation.constant(1), try operation.optionalConstant(2))
        let shape = try weightShape(operation, weight)
        let image = try image(operation.activation(0), operation)
        var window = try window(operation, kernel: Array(weight.dimensions[2...]), image: image)
        let count = weight.dimensions.count - 2
        var extra = try operation.extents("output_padding", 0...(1 << 20), count: count, or: 0)
        let groups = try operation.integer("group", or: 1)
        guard groups >= 1, image.stored[0] == shape[0], shape[0] % groups == 0 else {
            throw operation.malformed(
                "has weights of shape \(shape) and \(groups) groups on an input of shape \(image.dimensions)")
        }
        let (outputs, overflow) = shape[1].multipliedReportingOverflow(by: groups)
        guard !overflow, bias.map({ $0.count == outputs }) ?? true else {
            throw operation.malformed("has \(groups) groups")
        }
        let mode = try operation.text("auto_pad", or: "NOTSET")
        // Some files name batch and channels too.
        let wanted = try operation.integers("output_shape", Self.extents).map { Array($0.suffix(count)) }
        guard wanted.map({ $0.count == count }) ?? true else { throw operation.malformed("has too short an output_shape") }
        if wanted != nil || mode.hasPrefix("SAME") {
            for axis in 0..<count {
                let full = (image.stored[axis + 1] - 1) * window.stride[axis] + window.span(axis) + extra[axis]
                let target = wanted?[axis] ?? image.stored[axis + 1] * window.stride[axis]
                let cut = full - target
                if cut < 0 { extra[axis] -= cut }
                let (small, large) = (max(cut, 0) / 2, max(cut, 0) - max(cut, 0) / 2)
                (window.padding[axis], window.padding[axis + 2]) = mode == "SAME_UPPER" ? (small, large) : (large, small)
            }
        }
        let places = (0..<2).map { axis in
            (image.stored[axis + 1] - 1) * window.stride[axis] + window.span(axis) + (axis < count ? extra[axis] : 0)
                - window.padding[axis] - window.padding[axis + 2]
        }
        guard places.allSatisfy(Self.extents.contains) else { throw operation.malformed("gives an image of \(places)") }
        var attributes = attributes(window, kernel: "kernel", strideDefault: [1, 1])
        attributes["outputs"] = .integer(outputs)
        if groups != 1 { attributes["groups"] = .integer(groups) }
        if bias == nil { attributes["bias"] = false }
        if extra.contains(where: { $0 != 0 }) {
            attributes["output_padding"] = Self.extent(extra + [Int](repeating: 0, count: 2 - count))
        }
        let node = try add("transposed_convolution", operation, [image.node], attributes, weight: 1)
        fill("\(node).weight", weight)
        if let bias { fill("\(node).bias", bias) }
        return .activation(result(node, [outputs] + places, like: image))
    }

    // MARK: Pooling

    func pooling(_ operation: ONNXOperator, _ kind: String) throws -> ONNXValue {
        guard let kernel = try operation.integers("kernel_shape", Self.extents) else {
            throw operation.malformed("has no kernel_shape")
        }
        let image = try image(operation.activation(0), operation)
        let window = try window(operation, kernel: kernel, image: image)
        guard window.dilation == [1, 1] else {
            throw operation.unsupported("has dilations of \(window.dilation); 1 is read")
        }
        let roundsUp = try operation.flag("ceil_mode", or: false)
        var attributes = attributes(window, kernel: "window", strideDefault: window.kernel)
        let size = (0..<2).map { window.places(image.stored[$0 + 1], $0, roundingUp: roundsUp) }
        guard size.allSatisfy({ $0 > 0 }) else {
            throw operation.malformed("is larger than its input of shape \(image.dimensions)")
        }
        if roundsUp, size != (0..<2).map({ window.places(image.stored[$0 + 1], $0) }) { attributes["ceil"] = true }
        let isPadded = window.padding != [0, 0, 0, 0]
        if kind == "average_pool", isPadded, try !operation.flag("count_include_pad", or: false) {
            attributes["counts_padding"] = false
        }
        let node = try add(kind, operation, [image.node], attributes)
        var result = result(node, [image.stored[0]] + size, like: image)
        result.quantisation = image.quantisation
        return .activation(result)
    }

    func globalPooling(_ operation: ONNXOperator, _ kind: String) throws -> ONNXValue {
        let image = try image(operation.activation(0), operation)
        let node = try add(kind, operation, [image.node])
        var result = result(node, [image.stored[0], 1, 1], like: image)
        result.quantisation = image.quantisation
        return .activation(result)
    }

    func reduction(_ operation: ONNXOperator, _ kind: String, pooling: String?) throws -> ONNXValue {
        let (input, inputAxes) = try explicit(operation.activation(0))
        let given = try operation.list("axes", input: 1) ?? []
        if given.isEmpty, try operation.flag("noop_with_empty_axes", or: false) { return .activation(input) }
        let keeps = try operation.flag("keepdims", or: true)
        guard !given.isEmpty else { throw operation.unsupported("goes over all axes, which would mix samples") }
        let axes = try Set(given.map { try operation.sampleAxis($0, of: input) })
        let places = axes.map { inputAxes[$0] }.sorted()
        var result: ONNXActivation
        if let pooling, places == [1, 2], input.stored.count == 3 {
            result = input.computed(by: try add(pooling, operation, [input.node]))
        } else {
            result = input.computed(by: try add(kind, operation, [input.node], ["axes": .integers(places)]))
        }
        for place in places { result.stored[place] = 1 }
        result.dimensions = input.dimensions.indices.compactMap { axis in
            axes.contains(axis) ? (keeps ? 1 : nil) : input.dimensions[axis]
        }
        return .activation(result)
    }
}
