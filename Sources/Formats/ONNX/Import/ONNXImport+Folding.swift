import Numerics

/// Operators on constants, and on the shapes of activations, computed while the file is read.
extension ONNXImport {
    /// The operator's results; nil when they depend on the numbers of the network's input.
    func folded(_ operation: ONNXOperator) throws -> [ONNXTensor]? {
        switch operation.name {
        case "Shape": return [try shape(operation)]
        case "Size": return [try size(operation)]
        case "CastLike":
            guard let tensor = operation.value(0)?.constant else { return nil }
            // Like an activation is like a float.
            guard let type = operation.value(1)?.constant?.type, NumberType.wholeNumbers.contains(type) else {
                return [try cast(tensor, .f32)]
            }
            return [try cast(tensor, type)]
        default: break
        }
        let inputs = try operation.values.compactMap { value throws -> ONNXTensor? in value?.constant }
        guard inputs.count == operation.values.filter({ $0 != nil }).count else { return nil }
        return try computed(operation)
    }

    private func computed(_ operation: ONNXOperator) throws -> [ONNXTensor] {
        switch operation.name {
        case "Constant": return [try constantValue(operation)]
        case "ConstantOfShape": return [try constantOfShape(operation)]
        case "Identity", "Dropout": return [try operation.constant(0)]
        case "Cast": return [try cast(operation)]
        case "Reshape", "Flatten", "Squeeze", "Unsqueeze": return [try reshaped(operation)]
        case "Transpose": return [try transposed(operation)]
        case "Gather": return [try gathered(operation)]
        case "Concat": return [try concatenated(operation)]
        case "Slice": return [try sliced(operation)]
        case "Expand", "Tile": return [try repeated(operation)]
        case "Range": return [try range(operation)]
        case "Where": return [try chosen(operation)]
        case "Add", "Sub", "Mul", "Div", "Mod", "Pow", "Min", "Max", "Equal", "Greater", "Less", "GreaterOrEqual",
            "LessOrEqual", "And", "Or":
            return [try combined(operation)]
        case "Neg", "Abs", "Floor", "Ceil", "Round", "Sqrt", "Reciprocal", "Exp", "Log", "Not":
            return [try mapped(operation)]
        case "ReduceProd", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceMean": return [try reduced(operation)]
        case "DequantizeLinear": return [try dequantised(operation)]
        case "QuantizeLinear": return [try quantised(operation)]
        default: throw operation.unsupported("is not computed on constants")
        }
    }

    // MARK: Shapes of activations

    /// The batch, whatever its size, is `ONNXTensor.batch`.
    private func dimensions(_ value: ONNXValue?, _ operation: ONNXOperator) throws -> [Int] {
        switch value {
        case nil: throw operation.malformed("lacks input 0")
        case .constant(let tensor): return tensor.dimensions
        case .activation(let activation): return [ONNXTensor.batch] + activation.dimensions
        }
    }

    private func shape(_ operation: ONNXOperator) throws -> ONNXTensor {
        let all = try dimensions(operation.value(0), operation)
        func bound(_ name: String, _ initial: Int) throws -> Int {
            let place = try operation.integer(name, or: initial)
            return min(max(place < 0 ? place + all.count : place, 0), all.count)
        }
        let (start, end) = (try bound("start", 0), try bound("end", all.count))
        return try ONNXTensor(start < end ? Array(all[start..<end]) : [])
    }

    private func size(_ operation: ONNXOperator) throws -> ONNXTensor {
        let all = try dimensions(operation.value(0), operation)
        let product = all.reduce(1) { ONNXTensor.combine("Mul", $0, $1) ?? ONNXTensor.unknown }
        return try ONNXTensor([product]).reshaped([])
    }

    // MARK: New constants

    private func constantValue(_ operation: ONNXOperator) throws -> ONNXTensor {
        for (name, attribute) in operation.node.attributes {
            switch (name, attribute) {
            case ("value", .tensor(let tensor)): return tensor
            case ("value_int", .integer(let value)): return try ONNXTensor([value]).reshaped([])
            case ("value_ints", .integers(let values)): return try ONNXTensor(values)
            case ("value_float", .float(let value)): return try ONNXTensor(value)
            case ("value_floats", .floats(let values)):
                return try floats([values.count]) { values[$0] }
            default: continue
            }
        }
        throw operation.unsupported("has a value that is neither numbers nor a dense tensor of them")
    }

    private func constantOfShape(_ operation: ONNXOperator) throws -> ONNXTensor {
        let dimensions = Self.withoutBatch(try operation.constant(0).list())
        let attribute = operation.node.attributes["value"]
        guard case .tensor(let value)? = attribute, value.isWhole else {
            var number: Float = 0
            if case .tensor(let value)? = attribute { number = try value.float() }
            let count = try counted(dimensions)
            try budget.takeRepeated(count)
            return ONNXTensor(dimensions, count: count, repeating: number)
        }

        guard value.count == 1 else { throw operation.malformed("has a value of \(value.count) numbers") }
        let integer = try value.integers()[0]
        return try integers(dimensions, value.type) { _ in integer }
    }

    /// A constant that is repeated for each sample is one that all samples share.
    private static func withoutBatch(_ shape: [Int]) -> [Int] {
        shape.first == ONNXTensor.batch ? [1] + shape.dropFirst() : shape
    }

    private func range(_ operation: ONNXOperator) throws -> ONNXTensor {
        let (start, limit, step) = (try operation.constant(0), try operation.constant(1), try operation.constant(2))
        if start.isWhole && limit.isWhole && step.isWhole {
            let bounds = try [start, limit, step].map { try $0.list().first ?? 0 }
            let span = Double(bounds[1]) - Double(bounds[0])
            let count = (span / Double(bounds[2])).rounded(.up)
            guard bounds[2] != 0, count < 1e9 else { throw operation.unsupported("has a range of \(count) numbers") }
            return try integers([Int(max(count, 0))]) { bounds[0] &+ $0 &* bounds[2] }
        }
        let bounds = try [start, limit, step].map { try $0.float() }
        let count = ((bounds[1] - bounds[0]) / bounds[2]).rounded(.up)
        guard count < 1e9 else { throw operation.unsupported("has a range of \(count) numbers") }
        return try floats([Int(max(count, 0))]) { bounds[0] + Float($0) * bounds[2] }
    }

    // MARK: The same numbers elsewhere

    private func reshaped(_ operation: ONNXOperator) throws -> ONNXTensor {
        let tensor = try operation.constant(0)
        let dimensions = try newDimensions(operation, of: tensor.dimensions)
        guard dimensions.reduce(1, *) == tensor.count else {
            throw operation.malformed("gives \(tensor.count) numbers the shape \(printable("\(dimensions)"))")
        }
        return tensor.reshaped(dimensions)
    }

    private func transposed(_ operation: ONNXOperator) throws -> ONNXTensor {
        let tensor = try operation.constant(0)
        let rank = tensor.dimensions.count
        let order = try operation.integers("perm") ?? Array((0..<rank).reversed())
        guard order.sorted() == Array(0..<rank) else { throw operation.malformed("has the order \(order) of \(rank) axes") }
        let strides = strides(of: tensor.dimensions)
        return try picked(tensor, order.map { tensor.dimensions[$0] }, order.map { strides[$0] })
    }

    private func sliced(_ operation: ONNXOperator) throws -> ONNXTensor {
        let tensor = try operation.constant(0)
        let cuts = try slices(operation, of: tensor.dimensions)
        let strides = strides(of: tensor.dimensions)
        let start = zip(cuts, strides).reduce(0) { $0 + $1.0.start * $1.1 }
        return try picked(tensor, cuts.map(\.count), zip(cuts, strides).map { $0.step * $1 }, from: start)
    }

    private func repeated(_ operation: ONNXOperator) throws -> ONNXTensor {
        let (tensor, list) = (try operation.constant(0), Self.withoutBatch(try operation.constant(1).list()))
        guard list.allSatisfy({ $0 >= 0 }) else {
            throw operation.unsupported("repeats by the batch or by negative numbers")
        }
        if operation.name == "Expand" {
            let dimensions = try broadcast([tensor.dimensions, list], operation)
            return try picked(tensor, dimensions, broadcastStrides(tensor.dimensions, to: dimensions))
        }
        guard list.count == tensor.dimensions.count else { throw operation.malformed("has \(list.count) repeats") }
        // Each axis becomes two: the repeats, over which nothing moves, and the axis itself.
        let strides = strides(of: tensor.dimensions)
        let sizes = zip(list, tensor.dimensions).flatMap { [$0, $1] }
        let result = try picked(tensor, sizes, strides.flatMap { [0, $0] })
        return result.reshaped(zip(list, tensor.dimensions).map { $0 * $1 })
    }

    private func gathered(_ operation: ONNXOperator) throws -> ONNXTensor {
        let (tensor, picks) = (try operation.constant(0), try operation.constant(1))
        let axis = try operation.axis(operation.integer("axis", or: 0), rank: tensor.dimensions.count)
        let size = tensor.dimensions[axis]
        let indices = try picks.integers()
        for i in 0..<picks.count where !(-size..<size).contains(indices[i]) {
            throw operation.malformed("picks \(indices[i]) of \(size)")
        }
        let (outer, inner) = (tensor.dimensions[..<axis], tensor.dimensions[(axis + 1)...])
        let block = inner.reduce(1, *)
        return try rebuilt(tensor, Array(outer) + picks.dimensions + Array(inner)) { i in
            let (row, place) = (i / block / max(picks.count, 1), i / block % max(picks.count, 1))
            let pick = indices[place] < 0 ? indices[place] + size : indices[place]
            return (row * size + pick) * block + i % block
        }
    }

    private func concatenated(_ operation: ONNXOperator) throws -> ONNXTensor {
        let parts = try operation.values.indices.map { try operation.constant($0) }
        guard let first = parts.first else { throw operation.malformed("has no inputs") }
        let axis = try operation.axis(operation.integer("axis", or: 0), rank: first.dimensions.count)
        var dimensions = first.dimensions
        dimensions[axis] = 0
        for part in parts {
            var others = part.dimensions
            guard others.count == dimensions.count else { throw operation.malformed("has inputs of different ranks") }
            others[axis] = dimensions[axis]
            guard others == dimensions else { throw operation.malformed("has inputs of different shapes") }
            dimensions[axis] += part.dimensions[axis]
        }
        let outer = dimensions[..<axis].reduce(1, *)
        let lengths = parts.map { $0.dimensions[axis...].reduce(1, *) }
        let isWhole = parts.allSatisfy(\.isWhole)
        let (wholes, floats) = (
            isWhole ? try parts.map { try $0.integers() } : [], isWhole ? [] : try parts.map { try $0.floats() }
        )
        let (whole, float) = (
            try isWhole ? Indices(count: taken(dimensions)) : nil, try isWhole ? nil : Tensor([max(taken(dimensions), 1)])
        )
        var place = 0
        for row in 0..<outer {
            for (part, length) in lengths.enumerated() {
                for i in 0..<length {
                    whole?[place] = wholes[part][row * length + i]
                    float?[place] = floats[part][row * length + i]
                    place += 1
                }
            }
        }
        if let whole { return ONNXTensor(dimensions, integers: whole, first.type ?? .i64) }
        guard let float else { throw operation.malformed("has no numbers") }
        return ONNXTensor(dimensions, floats: float)
    }

    private func chosen(_ operation: ONNXOperator) throws -> ONNXTensor {
        let (mask, a, b) = (try operation.constant(0), try operation.constant(1), try operation.constant(2))
        let dimensions = try broadcast([mask.dimensions, a.dimensions, b.dimensions], operation)
        let flags = try mask.integers()
        let (whichOnes, first, second) = (
            offsets(mask, dimensions), offsets(a, dimensions), offsets(b, dimensions)
        )
        var (masks, firsts, seconds) = (whichOnes, first, second)
        if a.isWhole && b.isWhole {
            let (x, y) = (try a.integers(), try b.integers())
            return try integers(dimensions, a.type) { _ in
                let (m, i, j) = (masks.next() ?? 0, firsts.next() ?? 0, seconds.next() ?? 0)
                return flags[m] != 0 ? x[i] : y[j]
            }
        }
        let (x, y) = (try a.floats(), try b.floats())
        return try floats(dimensions) { _ in
            let (m, i, j) = (masks.next() ?? 0, firsts.next() ?? 0, seconds.next() ?? 0)
            return flags[m] != 0 ? x[i] : y[j]
        }
    }

    // MARK: Arithmetic

    private func cast(_ operation: ONNXOperator) throws -> ONNXTensor {
        guard let type = try NumberType(onnx: operation.integer("to", or: 0)) else {
            throw operation.unsupported("casts to ONNX's data type \(try operation.integer("to", or: 0))")
        }
        return try cast(operation.constant(0), type)
    }

    private func cast(_ tensor: ONNXTensor, _ type: NumberType) throws -> ONNXTensor {
        guard NumberType.wholeNumbers.contains(type) else {
            guard tensor.isWhole else { return tensor }
            let values = try tensor.integers()
            return try floats(tensor.dimensions) { ONNXTensor.isSymbol(values[$0]) ? .nan : Float(values[$0]) }
        }
        if tensor.isWhole {
            let values = try tensor.integers()
            return try integers(tensor.dimensions, type) { type == .bool ? (values[$0] == 0 ? 0 : 1) : values[$0] }
        }
        let values = try tensor.floats()
        return try integers(tensor.dimensions, type) {
            type == .bool ? (values[$0] == 0 ? 0 : 1) : ONNXTensor.whole(values[$0])
        }
    }

    private func combined(_ operation: ONNXOperator) throws -> ONNXTensor {
        var result = try operation.constant(0)
        for i in operation.values.indices.dropFirst() { result = try combined(result, operation.constant(i), operation) }
        return result
    }

    private func combined(_ a: ONNXTensor, _ b: ONNXTensor, _ operation: ONNXOperator) throws -> ONNXTensor {
        let name = operation.name
        let dimensions = try broadcast([a.dimensions, b.dimensions], operation)
        var (first, second) = (offsets(a, dimensions), offsets(b, dimensions))
        if a.isWhole && b.isWhole {
            let (x, y) = (try a.integers(), try b.integers())
            let type: NumberType? = ONNXTensor.comparisons.contains(name) ? .bool : a.type
            var failed = false
            let result = try integers(dimensions, type) { _ in
                let value = ONNXTensor.combine(name, x[first.next() ?? 0], y[second.next() ?? 0])
                failed = failed || value == nil
                return value ?? 0
            }
            guard !failed else { throw operation.malformed("divides by 0") }
            return result
        }
        let (x, y) = (try a.floats(), try b.floats())
        if ONNXTensor.comparisons.contains(name) {
            return try integers(dimensions, .bool) { _ in
                ONNXTensor.compare(name, x[first.next() ?? 0], y[second.next() ?? 0]) ? 1 : 0
            }
        }
        return try floats(dimensions) { _ in ONNXTensor.combine(name, x[first.next() ?? 0], y[second.next() ?? 0]) }
    }

    private func mapped(_ operation: ONNXOperator) throws -> ONNXTensor {
        let (tensor, name) = (try operation.constant(0), operation.name)
        if tensor.isWhole {
            let values = try tensor.integers()
            return try integers(tensor.dimensions, tensor.type) { i in
                switch name {
                case "Not": values[i] == 0 ? 1 : 0
                case _ where ONNXTensor.isSymbol(values[i]): ONNXTensor.unknown
                case "Neg": 0 &- values[i]
                case "Abs": values[i] < 0 ? 0 &- values[i] : values[i]
                default: values[i]
                }
            }
        }
        let values = try tensor.floats()
        return try floats(tensor.dimensions) { ONNXTensor.map(name, values[$0]) }
    }

    private func reduced(_ operation: ONNXOperator) throws -> ONNXTensor {
        let tensor = try operation.constant(0)
        let rank = tensor.dimensions.count
        let given = try operation.list("axes", input: 1)
        let axes = try Set((given ?? []).map { try operation.axis($0, rank: rank) })
        let isReduced = (0..<rank).map { axes.isEmpty || axes.contains($0) }
        let keeps = try operation.flag("keepdims", or: true)
        let name = operation.name
        let inner = (0..<rank).filter { isReduced[$0] }
        let kept = (0..<rank).filter { !isReduced[$0] }
        let strides = strides(of: tensor.dimensions)
        var starts = ONNXOdometer(sizes: kept.map { tensor.dimensions[$0] }, strides: kept.map { strides[$0] })
        let dimensions = (0..<rank).compactMap { isReduced[$0] ? (keeps ? 1 : nil) : tensor.dimensions[$0] }
        try budget.take(tensor.count)
        func walk() -> ONNXOdometer {
            ONNXOdometer(
                sizes: inner.map { tensor.dimensions[$0] }, strides: inner.map { strides[$0] }, start: starts.next() ?? 0)
        }
        let function = ["ReduceProd": "Mul", "ReduceSum": "Add", "ReduceMax": "Max", "ReduceMin": "Min"][name]
        if tensor.isWhole, let function {
            let values = try tensor.integers()
            return try integers(dimensions, tensor.type) { _ in
                var places = walk()
                var result = places.next().map { values[$0] } ?? (name == "ReduceProd" ? 1 : 0)
                for place in places { result = ONNXTensor.combine(function, result, values[place]) ?? ONNXTensor.unknown }
                return result
            }
        }
        let values = try tensor.floats()
        return try floats(dimensions) { _ in
            var places = walk()
            var (result, count): (Float, Float) = (places.next().map { values[$0] } ?? (name == "ReduceProd" ? 1 : 0), 1)
            for place in places {
                result = ONNXTensor.combine(function ?? "Add", result, values[place])
                count += 1
            }
            return function == nil ? result / count : result
        }
    }

    // MARK: Quantised constants

    private func dequantised(_ operation: ONNXOperator) throws -> ONNXTensor {
        let tensor = try operation.constant(0)
        let (scales, zeros) = try scaling(operation, of: tensor)
        let values = try tensor.floats()
        var (scale, zero) = (scales.places, zeros.places)
        return try floats(tensor.dimensions) { i in
            (values[i] - zeros.values[zero.next() ?? 0]) * scales.values[scale.next() ?? 0]
        }
    }

    private func quantised(_ operation: ONNXOperator) throws -> ONNXTensor {
        let tensor = try operation.constant(0)
        let (scales, zeros) = try scaling(operation, of: tensor)
        let (type, range) = try quantisedRange(operation)
        let values = try tensor.floats()
        var (scale, zero) = (scales.places, zeros.places)
        return try integers(tensor.dimensions, type) { i in
            let number = (values[i] / scales.values[scale.next() ?? 0]).rounded(.toNearestOrEven)
            let shifted = ONNXTensor.whole(number + zeros.values[zero.next() ?? 0])
            return min(max(shifted, range.lowerBound), range.upperBound)
        }
    }

    /// Scale and zero point for each number: one for all, or one for each place of an axis.
    private func scaling(_ operation: ONNXOperator, of tensor: ONNXTensor) throws
        -> (scales: (values: Tensor, places: ONNXOdometer), zeros: (values: Tensor, places: ONNXOdometer))
    {
        let scale = try operation.constant(1)
        let zero = try operation.optionalConstant(2)
        let rank = tensor.dimensions.count
        func places(_ part: ONNXTensor) throws -> ONNXOdometer {
            var strides = [Int](repeating: 0, count: rank)
            if part.count != 1 {
                let axis = try operation.axis(operation.integer("axis", or: 1), rank: rank)
                guard part.dimensions == [tensor.dimensions[axis]], try operation.integer("block_size", or: 0) == 0 else {
                    throw operation.unsupported("scales numbers by blocks; by tensor or by axis is read")
                }
                strides[axis] = 1
            }
            return ONNXOdometer(sizes: tensor.dimensions, strides: strides)
        }
        let zeros = try zero ?? ONNXTensor(0)
        return ((try scale.floats(), try places(scale)), (try zeros.floats(), try places(zeros)))
    }

    // MARK: Building

    /// The number of elements, if they may be computed.
    private func taken(_ dimensions: [Int]) throws -> Int {
        let count = try counted(dimensions)
        try budget.take(count)
        return count
    }

    private func counted(_ dimensions: [Int]) throws -> Int {
        var count = 1
        for dimension in dimensions {
            let (product, overflow) = count.multipliedReportingOverflow(by: dimension)
            guard dimension >= 0, !overflow else {
                let isBatch = dimensions.contains(where: ONNXTensor.isSymbol)
                throw DaflError(
                    isBatch ? .unsupported : .format,
                    isBatch
                        ? "makes a tensor whose size is the batch's"
                        : "makes a tensor of shape \(printable("\(dimensions)"))")
            }
            count = product
        }
        return count
    }

    func floats(_ dimensions: [Int], _ body: (Int) -> Float) throws -> ONNXTensor {
        let count = try taken(dimensions)
        let result = try Tensor([max(count, 1)])
        for i in 0..<count { result[i] = body(i) }
        return ONNXTensor(dimensions, floats: result)
    }

    func integers(_ dimensions: [Int], _ type: NumberType? = nil, _ body: (Int) -> Int) throws -> ONNXTensor {
        let count = try taken(dimensions)
        let result = try Indices(count: count)
        for i in 0..<count { result[i] = body(i) }
        return ONNXTensor(dimensions, integers: result, type ?? .i64)
    }

    /// Of the tensor's sort, element i from `place(i)`.
    private func rebuilt(_ tensor: ONNXTensor, _ dimensions: [Int], _ place: (Int) -> Int) throws -> ONNXTensor {
        if tensor.isWhole {
            let values = try tensor.integers()
            return try integers(dimensions, tensor.type) { values[place($0)] }
        }
        let values = try tensor.floats()
        return try floats(dimensions) { values[place($0)] }
    }

    private func picked(_ tensor: ONNXTensor, _ sizes: [Int], _ strides: [Int], from start: Int = 0) throws -> ONNXTensor {
        _ = try counted(sizes)  // before the walk counts them
        var places = ONNXOdometer(sizes: sizes, strides: strides, start: start)
        return try rebuilt(tensor, sizes) { _ in places.next() ?? 0 }
    }

    private func offsets(_ tensor: ONNXTensor, _ dimensions: [Int]) -> ONNXOdometer {
        ONNXOdometer(sizes: dimensions, strides: broadcastStrides(tensor.dimensions, to: dimensions))
    }
}

/// The dimensions that several broadcast to, as numpy does it.
/// - Throws: `format` when they do not fit together.
func broadcast(_ all: [[Int]], _ operation: ONNXOperator) throws -> [Int] {
    var result = [Int](repeating: 1, count: all.map(\.count).max() ?? 0)
    for dimensions in all {
        for (axis, size) in zip(result.indices.reversed(), dimensions.reversed()) where size != 1 {
            guard result[axis] == 1 || result[axis] == size, size >= 0 else {
                throw operation.malformed("has operands whose shapes do not fit: \(printable("\(all)"))")
            }
            result[axis] = size
        }
    }
    var count = 1
    for size in result {
        let (product, overflow) = count.multipliedReportingOverflow(by: size)
        guard !overflow else { throw operation.malformed("makes a tensor of shape \(printable("\(result)"))") }
        count = product
    }
    return result
}

/// Strides that give a tensor's element for each of the dimensions that it is broadcast to.
func broadcastStrides(_ dimensions: [Int], to result: [Int]) -> [Int] {
    let own = strides(of: dimensions)
    let missing = result.count - dimensions.count
    return result.indices.map { axis in
        axis < missing || dimensions[axis - missing] == 1 ? 0 : own[axis - missing]
    }
}
