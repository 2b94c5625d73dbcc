import Networks
import Numerics

/// Operators that move numbers about. On activations most change only the view: see `ONNXActivation`.
extension ONNXImport {
    // MARK: Reshape and its like

    /// Of a constant, by Reshape, Flatten, Squeeze or Unsqueeze.
    func newDimensions(_ operation: ONNXOperator, of old: [Int]) throws -> [Int] {
        switch operation.name {
        case "Flatten":
            let rank = old.count
            let given = try operation.integer("axis", or: 1)
            guard (-rank...rank).contains(given) else { throw operation.malformed("has the axis \(given) of \(rank)") }
            let axis = given < 0 ? given + rank : given
            return [old[..<axis].reduce(1, *), old[axis...].reduce(1, *)]
        case "Squeeze":
            let axes = try operation.list("axes", input: 1).map {
                try Set($0.map { try operation.axis($0, rank: old.count) })
            }
            guard axes?.allSatisfy({ old[$0] == 1 }) ?? true else {
                throw operation.malformed("squeezes an axis that is not 1")
            }
            return old.indices.filter { !(axes?.contains($0) ?? (old[$0] == 1)) }.map { old[$0] }
        case "Unsqueeze":
            let axes = try operation.list("axes", input: 1) ?? []
            let rank = old.count + axes.count
            let places = try Set(axes.map { try operation.axis($0, rank: rank) })
            guard places.count == axes.count else { throw operation.malformed("has an axis twice") }
            var rest = old[...]
            return (0..<rank).map { places.contains($0) ? 1 : rest.popFirst() ?? 1 }
        default:
            return try resolved(operation.constant(1).list(), of: old, operation)
        }
    }

    /// A shape with its 0s and its -1.
    private func resolved(_ shape: [Int], of old: [Int], _ operation: ONNXOperator) throws -> [Int] {
        let keepsZeros = try operation.flag("allowzero", or: false)
        var shape = try shape.enumerated().map { axis, size in
            guard size == 0, !keepsZeros else { return size }
            guard axis < old.count else { throw operation.malformed("keeps an axis that is not there") }
            return old[axis]
        }
        let count = old.reduce(1, *)
        if let free = shape.firstIndex(of: -1) {
            shape[free] = 1
            let rest = try product(shape, operation)
            shape[free] = rest == 0 ? 0 : count / rest
        }
        guard try product(shape, operation) == count else {
            throw operation.malformed("gives \(count) numbers the shape \(printable("\(shape)"))")
        }
        return shape
    }

    private func product(_ shape: [Int], _ operation: ONNXOperator) throws -> Int {
        try shape.reduce(1) { count, size in
            let (product, overflow) = count.multipliedReportingOverflow(by: size)
            guard size >= 0, !overflow else { throw operation.malformed("makes the shape \(printable("\(shape)"))") }
            return product
        }
    }

    func reshape(_ operation: ONNXOperator) throws -> ONNXValue {
        var input = try operation.activation(0)
        var shape = try operation.constant(1).list()
        let keepsZeros = try operation.flag("allowzero", or: false)
        let mixing = operation.unsupported("gives a batch the shape \(shape.map(Self.name)), which would mix samples")
        guard let batch = shape.first else { throw mixing }
        guard !shape.contains(ONNXTensor.unknown) else {
            throw operation.unsupported("has a shape computed of the batch's size")
        }
        // 0s stand for the input's axes, the batch included.
        if !keepsZeros {
            shape = try shape.enumerated().map { axis, size in
                guard size == 0, axis > 0 else { return size }
                guard axis <= input.dimensions.count else { throw operation.malformed("keeps an axis that is not there") }
                return input.dimensions[axis - 1]
            }
        }
        var sample = Array(shape.dropFirst())
        guard !sample.contains(ONNXTensor.batch) else { throw mixing }
        let isBatch = batch == ONNXTensor.batch || batch == 0 && !keepsZeros || batch == (fixedBatch ?? 1)
        if isBatch, let free = sample.firstIndex(of: -1) {
            sample[free] = 1
            let rest = try product(sample, operation)
            guard rest > 0, input.count % rest == 0 else { throw mixing }
            sample[free] = input.count / rest
        }
        guard isBatch || batch == -1, !sample.contains(-1), try product(sample, operation) == input.count else {
            throw mixing
        }
        input.dimensions = sample
        return .activation(input)
    }

    private static func name(_ size: Int) -> String { size == ONNXTensor.batch ? "batch" : "\(size)" }

    func flatten(_ operation: ONNXOperator) throws -> ONNXValue {
        var input = try operation.activation(0)
        let rank = input.dimensions.count + 1
        let given = try operation.integer("axis", or: 1)
        let axis = given < 0 ? given + rank : given
        guard (1...rank).contains(axis), input.dimensions[..<(axis - 1)].allSatisfy({ $0 == 1 }) else {
            throw operation.unsupported("flattens the batch with axis \(given), which would mix samples")
        }
        input.dimensions = [input.count]
        return .activation(input)
    }

    func squeeze(_ operation: ONNXOperator) throws -> ONNXValue {
        var input = try operation.activation(0)
        let axes = try operation.list("axes", input: 1).map { try Set($0.map { try operation.sampleAxis($0, of: input) }) }
        guard axes?.allSatisfy({ input.dimensions[$0] == 1 }) ?? true else {
            throw operation.malformed("squeezes an axis that is not 1")
        }
        let old = input.dimensions
        input.dimensions = old.indices.filter { !(axes?.contains($0) ?? (old[$0] == 1)) }.map { old[$0] }
        return .activation(input)
    }

    func unsqueeze(_ operation: ONNXOperator) throws -> ONNXValue {
        var input = try operation.activation(0)
        let axes = try operation.list("axes", input: 1) ?? []
        let rank = input.dimensions.count + 1 + axes.count
        let places = try Set(axes.map { try operation.axis($0, rank: rank) })
        guard places.count == axes.count, !places.contains(0) else {
            throw operation.unsupported("puts an axis before the batch, which would mix samples")
        }
        var rest = input.dimensions[...]
        input.dimensions = (1..<rank).map { places.contains($0) ? 1 : rest.popFirst() ?? 1 }
        return .activation(input)
    }

    func transpose(_ operation: ONNXOperator) throws -> ONNXValue {
        let (input, axes) = try explicit(operation.activation(0))
        let rank = axes.count + 1
        let permutation = try operation.integers("perm") ?? Array((0..<rank).reversed())
        guard permutation.sorted() == Array(0..<rank) else {
            throw operation.malformed("has the order \(permutation) of \(rank) axes")
        }
        guard permutation[0] == 0 else {
            throw operation.unsupported("moves the batch to axis \(permutation.firstIndex(of: 0) ?? 0)")
        }
        return .activation(input.permuted(permutation.dropFirst().map { $0 - 1 }, axes))
    }

    /// Expand and Tile, when they leave a sample as it is.
    func unchanged(_ operation: ONNXOperator) throws -> ONNXValue {
        let input = try operation.activation(0)
        let list = try operation.constant(1).list()
        let isTile = operation.name == "Tile"
        let sizes = isTile ? list.map { _ in 1 } : [ONNXTensor.batch] + input.dimensions
        let isSame =
            isTile
            ? list.allSatisfy { $0 == 1 }
            : list.count <= sizes.count
                && zip(list.reversed(), sizes.reversed()).allSatisfy {
                    $0 == 1 || $0 == $1 || $1 == ONNXTensor.batch && $0 == fixedBatch
                }
        guard isSame else { throw operation.unsupported("repeats activations") }
        return .activation(input)
    }

    // MARK: Parts

    struct Cut {
        let start: Int
        let count: Int
        let step: Int
    }

    /// Which part of each axis a Slice takes.
    func slices(_ operation: ONNXOperator, of dimensions: [Int]) throws -> [Cut] {
        guard let starts = try operation.list("starts", input: 1), let ends = try operation.list("ends", input: 2) else {
            throw operation.malformed("has no starts or ends")
        }
        let axes = try operation.list("axes", input: 3) ?? Array(starts.indices)
        let steps = try operation.optionalConstant(4)?.list() ?? starts.map { _ in 1 }
        guard starts.count == ends.count, axes.count == starts.count, steps.count == starts.count else {
            throw operation.malformed(
                "has \(starts.count) starts, \(ends.count) ends, \(axes.count) axes, \(steps.count) steps")
        }
        var cuts = dimensions.map { Cut(start: 0, count: $0, step: 1) }
        for i in starts.indices {
            let axis = try operation.axis(axes[i], rank: dimensions.count)
            let (size, step) = (dimensions[axis], steps[i])
            guard step != 0, step > -(1 << 32), step < 1 << 32 else { throw operation.malformed("has the step \(step)") }
            guard size != ONNXTensor.batch else {
                let isAll =
                    starts[i] == 0 && step == 1 && (ends[i] == ONNXTensor.batch || ends[i] >= fixedBatch ?? Int(Int32.max))
                guard isAll else { throw operation.unsupported("takes a part of the batch, which would mix samples") }
                continue
            }
            func place(_ given: Int, _ range: ClosedRange<Int>) -> Int {
                min(
                    max(given < 0 ? given.addingReportingOverflow(size).partialValue : given, range.lowerBound),
                    range.upperBound)
            }
            guard !ONNXTensor.isSymbol(starts[i]), !ONNXTensor.isSymbol(ends[i]) else {
                throw operation.unsupported("takes a part that depends on the batch's size")
            }
            let bounds = step > 0 ? 0...size : -1...max(size - 1, -1)
            let start = place(starts[i], step > 0 ? 0...size : 0...max(size - 1, 0))
            // A negative end that is still before the start is none.
            let end = ends[i] < -size ? bounds.lowerBound : place(ends[i], bounds)
            let span = step > 0 ? end - start : start - end
            cuts[axis] = Cut(start: start, count: span <= 0 ? 0 : (span - 1) / abs(step) + 1, step: step)
        }
        return cuts
    }

    func slice(_ operation: ONNXOperator) throws -> ONNXValue {
        let input = try operation.activation(0)
        let cuts = try slices(operation, of: [ONNXTensor.batch] + input.dimensions)
        return .activation(try part(operation, input, Array(cuts.dropFirst())))
    }

    /// One slice node for each axis that is cut.
    private func part(_ operation: ONNXOperator, _ input: ONNXActivation, _ cuts: [Cut], suffix: String = "") throws
        -> ONNXActivation
    {
        guard zip(cuts, input.dimensions).contains(where: { $0.count != $1 || $0.step != 1 }) else { return input }
        let (input, axes) = try explicit(input)
        var result = input
        for (axis, cut) in cuts.enumerated() where cut.count != input.dimensions[axis] || cut.step != 1 {
            guard cut.count > 0 else { throw operation.malformed("takes an empty part") }
            var attributes: [String: Attribute] = [
                "axis": .integer(axes[axis]), "start": .integer(cut.start), "size": .integer(cut.count),
            ]
            if cut.step != 1 { attributes["step"] = .integer(cut.step) }
            result = result.computed(by: try add("slice", operation, [result.node], attributes, suffix: suffix))
            result.stored[axes[axis]] = cut.count
            result.dimensions[axis] = cut.count
        }
        return result
    }

    func split(_ operation: ONNXOperator) throws -> [ONNXValue] {
        let input = try operation.activation(0)
        let axis = try operation.sampleAxis(operation.integer("axis", or: 0), of: input)
        let (size, count) = (input.dimensions[axis], operation.node.outputs.count)
        guard count > 0 else { throw operation.malformed("has no outputs") }
        let share = (size + count - 1) / count
        let sizes = try operation.list("split", input: 1) ?? (0..<count).map { min(share, size - $0 * share) }
        guard sizes.count == count, sizes.allSatisfy({ (1...size).contains($0) }), sizes.reduce(0, +) == size else {
            throw operation.malformed("splits \(size) in \(printable("\(sizes)"))")
        }
        var start = 0
        return try sizes.enumerated().map { i, length in
            var cuts = input.dimensions.map { Cut(start: 0, count: $0, step: 1) }
            cuts[axis] = Cut(start: start, count: length, step: 1)
            start += length
            return .activation(try part(operation, input, cuts, suffix: "_\(i)"))
        }
    }

    /// Picks of consecutive places: x[:, 0], say.
    func gather(_ operation: ONNXOperator) throws -> ONNXValue {
        let (input, picks) = (try operation.activation(0), try operation.constant(1))
        let axis = try operation.sampleAxis(operation.integer("axis", or: 0), of: input)
        let size = input.dimensions[axis]
        let places = try picks.list().map { place in
            guard (-size..<size).contains(place) else { throw operation.malformed("picks \(place) of \(size)") }
            return place < 0 ? place + size : place
        }
        guard let first = places.first, picks.dimensions.count <= 1, places == Array(first..<(first + places.count)) else {
            throw operation.unsupported("picks places that are not one after another")
        }
        var cuts = input.dimensions.map { Cut(start: 0, count: $0, step: 1) }
        cuts[axis] = Cut(start: first, count: places.count, step: 1)
        var result = try part(operation, input, cuts)
        if picks.dimensions.isEmpty { result.dimensions.remove(at: axis) }
        return .activation(result)
    }

    func concat(_ operation: ONNXOperator) throws -> ONNXValue {
        guard let place = operation.values.firstIndex(where: { $0?.activation != nil }) else {
            throw operation.malformed("has no inputs")
        }
        let (first, axes) = try explicit(operation.activation(place))
        let axis = try operation.sampleAxis(operation.integer("axis", or: 1), of: first)
        var (nodes, total): ([String], Int) = ([], 0)
        for i in operation.values.indices {
            let part = try operation.value(i)?.constant.map { try activation(of: $0, operation, i) } ?? operation.activation(i)
            guard part.dimensions.count == first.dimensions.count,
                part.dimensions.indices.allSatisfy({ $0 == axis || part.dimensions[$0] == first.dimensions[$0] })
            else { throw operation.malformed("has inputs of shapes \(first.dimensions) and \(part.dimensions)") }
            nodes.append(try stored(part, like: first, axes))
            total += part.dimensions[axis]
        }
        if nodes.count == 1 { return .activation(first) }
        var result = first.computed(
            by: try add("concat", operation, nodes, axes[axis] == 0 ? [:] : ["axis": .integer(axes[axis])]))
        result.stored[axes[axis]] = total
        result.dimensions[axis] = total
        return .activation(result)
    }

    /// A constant beside activations, the same for each sample.
    private func activation(of constant: ONNXTensor, _ operation: ONNXOperator, _ input: Int) throws -> ONNXActivation {
        guard let batch = constant.dimensions.first, batch == 1 || batch == fixedBatch, constant.count > 0,
            case let shape = Array(constant.dimensions.dropFirst()), !shape.isEmpty
        else { throw operation.unsupported("has a constant of shape \(constant.dimensions) as input \(input)") }
        let node = try add("constant", operation, [], ["shape": .integers(shape)], suffix: "_constant_\(input)")
        let sample = constant.count / batch
        fill("\(node).value") { tensor in
            let numbers = try constant.floats()
            guard (sample..<constant.count).allSatisfy({ numbers[$0] == numbers[$0 % sample] }) else {
                throw operation.unsupported("has a constant that differs from sample to sample")
            }
            for i in 0..<tensor.count { tensor[i] = numbers[i] }
        }
        return ONNXActivation(node, shape)
    }

    func pad(_ operation: ONNXOperator) throws -> ONNXValue {
        let (input, axes) = try explicit(operation.activation(0))
        let rank = axes.count + 1
        guard let pads = try operation.list("pads", input: 1) else { throw operation.malformed("has no pads") }
        let given = try operation.optionalConstant(3)?.list().map { try operation.axis($0, rank: rank) } ?? Array(0..<rank)
        guard pads.count == 2 * given.count, Set(given).count == given.count else {
            throw operation.malformed("has \(pads.count) pads for \(given.count) axes")
        }
        var (before, after) = ([Int](repeating: 0, count: rank), [Int](repeating: 0, count: rank))
        for (i, axis) in given.enumerated() { (before[axis], after[axis]) = (pads[i], pads[i + given.count]) }
        guard before[0] == 0, after[0] == 0 else { throw operation.unsupported("adds samples to the batch") }
        guard (before + after).allSatisfy((0...(1 << 20)).contains) else {
            throw operation.unsupported("has pads of \(printable("\(pads)"))")
        }
        guard (before + after).contains(where: { $0 != 0 }) else { return .activation(input) }

        var value: Float = 0
        if case .float(let number)? = operation.node.attributes["value"] { value = number }
        if let constant = try operation.optionalConstant(2), constant.count > 0 { value = try constant.float() }
        let mode = try operation.text("mode", or: "constant")
        guard ["constant", "edge", "reflect"].contains(mode) else {
            throw operation.unsupported("has the mode \(quoted(mode))")
        }
        let layout = input.layout(axes)
        var attributes: [String: Attribute] = [
            "before": .integers(layout.map { axis in axis.map { before[$0 + 1] } ?? 0 }),
            "after": .integers(layout.map { axis in axis.map { after[$0 + 1] } ?? 0 }),
        ]
        if mode != "constant" { attributes["mode"] = .text(mode) }
        if mode == "constant" && value != 0 { attributes["value"] = .number(Double(value)) }
        var result = input.computed(by: try add("pad", operation, [input.node], attributes))
        for (axis, place) in axes.enumerated() {
            result.dimensions[axis] += before[axis + 1] + after[axis + 1]
            result.stored[place] = result.dimensions[axis]
        }
        return .activation(result)
    }
}
