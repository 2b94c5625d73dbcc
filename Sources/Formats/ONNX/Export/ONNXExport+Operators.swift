import Networks
import Numerics

/// Kinds that one operator does not say as simply.
extension ONNXExport {
    // MARK: Linear layers

    mutating func convolution(_ layer: ONNXLayer) throws -> Value {
        last(
            layer, "Conv", try imageAndWeights(layer),
            [
                "kernel_shape": .integers(try layer.list("kernel")), "strides": .integers(try layer.list("stride")),
                "pads": .integers(try layer.list("padding")), "dilations": .integers(try layer.list("dilation")),
                "group": .integer(try layer.whole("groups")),
            ])
    }

    mutating func transposedConvolution(_ layer: ONNXLayer) throws -> Value {
        last(
            layer, "ConvTranspose", try imageAndWeights(layer),
            [
                "kernel_shape": .integers(try layer.list("kernel")), "strides": .integers(try layer.list("stride")),
                "pads": .integers(try layer.list("padding")), "dilations": .integers(try layer.list("dilation")),
                "group": .integer(try layer.whole("groups")),
                "output_padding": .integers(try layer.list("output_padding")),
            ])
    }

    private mutating func imageAndWeights(_ layer: ONNXLayer) throws -> [String] {
        if let (weight, bias) = try eightBitWeights(layer, isTransposed: false) {
            return [try image(layer).tensor, weight] + (bias.map { [$0] } ?? [])
        }
        let weights = [try layer.parameter("weight"), layer.optionalParameter("bias")].compactMap { $0 }
        return [try image(layer).tensor] + weights.map { initializer($0) }
    }

    /// Gemm of a vector; MatMul at every place of more dimensions.
    mutating func linear(_ layer: ONNXLayer) throws -> Value {
        var input = try input(layer)
        let isLast = try layer.text("axis") == "last" && input.shape.count > 1
        let inEightBits = try eightBitWeights(layer, isTransposed: isLast)
        let weight = try inEightBits?.weight ?? initializer(layer.parameter("weight"))
        let bias = inEightBits?.bias ?? layer.optionalParameter("bias").map { initializer($0) }
        if isLast {
            let transposed =
                inEightBits == nil ? part(layer, "Transpose", [weight], ["perm": [1, 0]], to: []).tensor : weight
            guard let bias else { return last(layer, "MatMul", [input.tensor, transposed]) }
            let product = part(layer, "MatMul", [input.tensor, transposed], to: layer.output)
            return last(layer, "Add", [product.tensor, bias])
        }
        if input.shape.count != 1 {
            input = part(layer, "Flatten", [input.tensor], ["axis": 1], to: [input.shape.reduce(1, *)])
            input = roundedAgain(input, on: eightBitLayers?[layer.name]?.input, named: layer.name("Flatten"))
        }
        return last(layer, "Gemm", [input.tensor, weight] + (bias.map { [$0] } ?? []), ["transB": 1])
    }

    // MARK: Normalisation

    private func epsilon(_ layer: ONNXLayer) throws -> Attribute { .number(Double(try layer.number("epsilon"))) }

    /// weight and bias; ones and zeros where it has none.
    private mutating func scales(_ layer: ONNXLayer, _ shape: [Int]) throws -> [String] {
        guard let weight = layer.optionalParameter("weight"), let bias = layer.optionalParameter("bias") else {
            return [try initializer(repeating: 1, shape), try initializer(repeating: 0, shape)]
        }
        return [initializer(weight), initializer(bias)]
    }

    mutating func batchNorm(_ layer: ONNXLayer) throws -> Value {
        let (mean, variance) = (try layer.parameter("running_mean"), try layer.parameter("running_var"))
        let scales = try scales(layer, mean.value.shape.dimensions)
        return last(
            layer, "BatchNormalization",
            [try input(layer).tensor] + scales + [initializer(mean), initializer(variance)],
            ["epsilon": try epsilon(layer)])
    }

    mutating func layerNorm(_ layer: ONNXLayer) throws -> Value {
        let input = try input(layer)
        let dimensions = try layer.whole("dimensions")
        let scales = try scales(layer, input.shape.suffix(dimensions))
        return last(
            layer, "LayerNormalization", [input.tensor] + scales,
            ["axis": .integer(-dimensions), "epsilon": try epsilon(layer)])
    }

    mutating func instanceNorm(_ layer: ONNXLayer) throws -> Value {
        let image = try image(layer)
        let scales = try scales(layer, [image.shape[0]])
        return last(
            layer, "InstanceNormalization", [image.tensor] + scales, ["epsilon": try epsilon(layer)], to: image.shape)
    }

    /// Each group as an instance of one channel; then the channels' own scales.
    mutating func groupNorm(_ layer: ONNXLayer) throws -> Value {
        let input = try input(layer)
        let groups = try layer.whole("groups")
        let grouped = reshape(
            input, to: [groups, input.shape.reduce(1, *) / groups], named: layer.name("groups"))
        let scales = [try initializer(repeating: 1, [groups]), try initializer(repeating: 0, [groups])]
        let normalised = part(
            layer, "InstanceNormalization", [grouped.tensor] + scales, ["epsilon": try epsilon(layer)], to: grouped.shape)
        guard let weight = layer.optionalParameter("weight"), let bias = layer.optionalParameter("bias") else {
            return reshape(normalised, to: layer.output, named: layer.name)
        }
        let channels = reshape(normalised, to: input.shape, named: layer.name("channels"))
        let scaled = part(layer, "Mul", [channels.tensor, perChannel(weight, input.shape)], to: input.shape)
        return last(layer, "Add", [scaled.tensor, perChannel(bias, input.shape)])
    }

    /// LRN of an odd size, which alone runtimes have; else the mean of squares by a pooling over the channels.
    mutating func localResponseNorm(_ layer: ONNXLayer) throws -> Value {
        let image = try image(layer)
        let size = try layer.whole("size")
        let (alpha, beta, bias) = (try layer.number("alpha"), try layer.number("beta"), try layer.number("bias"))
        if size % 2 == 1 {
            return last(
                layer, "LRN", [image.tensor],
                [
                    "alpha": .number(Double(alpha)), "beta": .number(Double(beta)), "bias": .number(Double(bias)),
                    "size": .integer(size),
                ], to: image.shape)
        }
        let (channels, pixels) = (image.shape[0], image.shape[1] * image.shape[2])
        let square = part(layer, "Mul", [image.tensor, image.tensor], to: image.shape)
        let rows = reshape(square, to: [1, channels, pixels], named: layer.name("rows"))
        let mean = part(
            layer, "AveragePool", [rows.tensor],
            [
                "kernel_shape": .integers([size, 1]), "pads": .integers([(size - 1) / 2, 0, size / 2, 0]),
                "count_include_pad": 1,
            ], to: rows.shape)
        let planes = reshape(mean, to: image.shape, named: layer.name("planes"))
        let weighted = part(
            layer, "Mul", [planes.tensor, scalar(alpha, named: layer.name("alpha"))], to: image.shape)
        let sum = part(layer, "Add", [weighted.tensor, scalar(bias, named: layer.name("bias"))], to: image.shape)
        let power = part(layer, "Pow", [sum.tensor, scalar(beta, named: layer.name("beta"))], to: image.shape)
        return last(layer, "Div", [image.tensor, power.tensor], to: image.shape)
    }

    // MARK: Pooling

    /// The padding with which a pooling has as many windows as the layer. A last one that goes past the image would be
    /// ceil_mode's, but runtimes do not agree on when there is one.
    private func windows(_ layer: ONNXLayer, _ image: Value) throws -> [Int] {
        let (window, stride, padding) = (try layer.list("window"), try layer.list("stride"), try layer.list("padding"))
        let after = (0..<2).map { axis in
            let end = (layer.output[axis + 1] - 1) * stride[axis] + window[axis]
            return max(padding[axis + 2], end - image.shape[axis + 1] - padding[axis])
        }
        return Array(padding[..<2]) + after
    }

    mutating func pooling(_ layer: ONNXLayer, _ type: String) throws -> Value {
        let image = try image(layer)
        return try pooling(layer, type, image, pads: windows(layer, image), countsPadding: false)
    }

    private mutating func pooling(
        _ layer: ONNXLayer, _ type: String, _ image: Value, pads: [Int], countsPadding: Bool
    ) throws -> Value {
        let (window, stride) = (Attribute.integers(try layer.list("window")), Attribute.integers(try layer.list("stride")))
        let pads = Attribute.integers(pads)
        return countsPadding
            ? last(
                layer, type, [image.tensor],
                ["kernel_shape": window, "strides": stride, "pads": pads, "count_include_pad": 1])
            : last(layer, type, [image.tensor], ["kernel_shape": window, "strides": stride, "pads": pads])
    }

    mutating func averagePooling(_ layer: ONNXLayer) throws -> Value {
        let image = try image(layer)
        let (padding, pads) = (try layer.list("padding"), try windows(layer, image))
        let countsPadding = try layer.flag("counts_padding") && padding != [0, 0, 0, 0]
        guard countsPadding, pads != padding else {
            return try pooling(layer, "AveragePool", image, pads: pads, countsPadding: countsPadding)
        }
        // The padding counts, and what a last window has past it does not.
        let padded = pad(
            layer, image, before: [0, padding[0], padding[1]], after: [0, padding[2], padding[3]], ["mode": "constant"], 0,
            named: layer.name("Pad"))
        return try pooling(
            layer, "AveragePool", padded, pads: zip(pads, padding).map { $0 - $1 }, countsPadding: false)
    }

    mutating func globalPooling(_ layer: ONNXLayer, _ type: String) throws -> Value {
        let image = try image(layer)
        return last(layer, type, [image.tensor], to: [image.shape[0], 1, 1])
    }

    mutating func upsampling(_ layer: ONNXLayer) throws -> Value {
        let image = try image(layer)
        let (mode, alignment) = (try layer.text("mode"), try layer.text("alignment"))
        let factors = (1...2).map { layer.output[$0] / image.shape[$0] }
        let isWhole = (1...2).allSatisfy { layer.output[$0] % image.shape[$0] == 0 }
        // Then every pixel becomes a block, which is written in the way that most runtimes have.
        let isBlocks = isWhole && mode == "nearest" && alignment != "corners"
        let coordinates =
            isBlocks || alignment == "asymmetric" ? "asymmetric" : alignment == "corners" ? "align_corners" : "half_pixel"
        let rounding = coordinates == "asymmetric" ? "floor" : "round_prefer_ceil"
        var tensors = [image.tensor, ""]
        if isWhole {
            tensors.append(floats([1, 1] + factors.map(Float.init), named: layer.name("scales")))
        } else {
            // Sizes name the batch's too.
            let kept = part(layer, "Shape", [image.tensor], ["start": 0, "end": 2], to: [])
            let size = integers(Array(layer.output[1...]), named: layer.name("size"))
            tensors += ["", part(layer, "Concat", [kept.tensor, size], ["axis": 0], to: []).tensor]
        }
        return last(
            layer, "Resize", tensors,
            [
                "mode": mode == "nearest" ? "nearest" : "linear", "coordinate_transformation_mode": .text(coordinates),
                "nearest_mode": .text(rounding),
            ])
    }

    // MARK: Parts and dimensions

    mutating func concatenation(_ layer: ONNXLayer) throws -> Value {
        let tensors = layer.operands.map { value($0, layer).tensor }
        return last(layer, "Concat", tensors, ["axis": .integer(try layer.whole("axis") + 1)])
    }

    mutating func slice(_ layer: ONNXLayer) throws -> Value {
        let input = try input(layer)
        let (axis, start) = (try layer.whole("axis"), try layer.whole("start"))
        let (size, step) = (try layer.whole("size"), try layer.whole("step"))
        let last = start + (size - 1) * step
        // Backwards, the place before the first: -1 would be the last one.
        let end = step > 0 ? last + 1 : last > 0 ? last - 1 : -input.shape[axis] - 1
        return cut(layer, input, axes: [axis], starts: [start], ends: [end], steps: [step])
    }

    mutating func crop(_ layer: ONNXLayer) throws -> Value {
        let image = try image(layer)
        let starts = (1...2).map { (image.shape[$0] - layer.output[$0]) / 2 }
        let ends = (1...2).map { starts[$0 - 1] + layer.output[$0] }
        return cut(layer, image, axes: [1, 2], starts: starts, ends: ends, steps: [1, 1])
    }

    private mutating func cut(
        _ layer: ONNXLayer, _ input: Value, axes: [Int], starts: [Int], ends: [Int], steps: [Int]
    ) -> Value {
        let tensors = [
            integers(starts, named: layer.name("starts")), integers(ends, named: layer.name("ends")),
            integers(axes.map { $0 + 1 }, named: layer.name("axes")), integers(steps, named: layer.name("steps")),
        ]
        return last(layer, "Slice", [input.tensor] + tensors)
    }

    mutating func padding(_ layer: ONNXLayer) throws -> Value {
        let input = try input(layer)
        return pad(
            layer, input, before: try layer.list("before"), after: try layer.list("after"),
            ["mode": .text(try layer.text("mode"))], try layer.number("value"), named: layer.name)
    }

    private mutating func pad(
        _ layer: ONNXLayer, _ input: Value, before: [Int], after: [Int], _ mode: KeyValuePairs<String, Attribute>,
        _ value: Float, named base: String
    ) -> Value {
        let pads = integers([0] + before + [0] + after, named: layer.name("pads"))
        let shape = input.shape.indices.map { input.shape[$0] + before[$0] + after[$0] }
        let number = scalar(value, named: layer.name("value"))
        return add("Pad", [input.tensor, pads, number], mode, named: base, to: shape)
    }

    mutating func reduction(_ layer: ONNXLayer, _ type: String) throws -> Value {
        let input = try input(layer)
        let axes = try layer.list("axes").map { $0 + 1 }
        // No axes would stand for all of them, the batch's too.
        if axes.isEmpty { return input }
        let keeps: Attribute = .flag(try layer.flag("keep"))
        if type == "ReduceSum" {
            // The first whose axes became an input.
            let tensor = integers(axes, named: layer.name("axes"))
            return last(layer, type, [input.tensor, tensor], ["keepdims": keeps])
        }
        return last(layer, type, [input.tensor], ["axes": .integers(axes), "keepdims": keeps])
    }
}
