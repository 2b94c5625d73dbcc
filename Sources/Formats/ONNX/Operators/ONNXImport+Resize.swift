import Networks
import Numerics

extension ONNXImport {
    /// Resize and Upsample, which is Resize before opset 11 by another name.
    func resize(_ operation: ONNXOperator) throws -> ONNXValue {
        let image = try image(operation.activation(0), operation)
        guard image.dimensions.count == 3 else {
            throw operation.unsupported("works on \(image.dimensions.count - 1) dimensions; images have 2")
        }
        let (old, isOld) = (Array(image.stored.dropFirst()), operation.name == "Upsample" || operation.opset < 11)
        let size = try newSize(operation, image, isOld: isOld)
        if size == old { return .activation(image) }
        guard try !operation.flag("antialias", or: false),
            try operation.text("keep_aspect_ratio_policy", or: "stretch") == "stretch"
        else { throw operation.unsupported("has antialias or keeps the aspect ratio") }

        let isWhole = (0..<2).allSatisfy { size[$0] % old[$0] == 0 }
        var attributes: [String: Attribute] =
            isWhole ? ["factor": Self.extent((0..<2).map { size[$0] / old[$0] })] : ["size": .integers(size)]
        let alignment = try operation.text(
            "coordinate_transformation_mode", or: isOld ? "asymmetric" : "half_pixel")
        // PyTorch's differs for a single pixel alone.
        let isHalfPixel = alignment == "half_pixel" || alignment == "pytorch_half_pixel" && size.allSatisfy { $0 > 1 }
        let mode = try operation.text("mode", or: "nearest")
        switch mode {
        case "nearest":
            let rounding = try operation.text("nearest_mode", or: isOld ? "floor" : "round_prefer_floor")
            if alignment == "asymmetric" && rounding == "floor" {
                if !isWhole { attributes["alignment"] = "asymmetric" }
            } else {
                let isCorners = alignment == "align_corners"
                let isSame =
                    rounding == "round_prefer_ceil"
                    || (0..<2).allSatisfy { !Self.hasTies(old[$0], size[$0], isCorners: isCorners) }
                guard isHalfPixel || isCorners, rounding.hasPrefix("round_prefer"), isSame else {
                    throw operation.unsupported(
                        "is nearest with \(quoted(alignment)) and \(quoted(rounding)); asymmetric and floor are read")
                }
                if isCorners { attributes["alignment"] = "corners" }
            }
        case "linear", "bilinear":
            attributes["mode"] = "bilinear"
            switch alignment {
            case _ where isHalfPixel: break
            case "align_corners": attributes["alignment"] = "corners"
            case "asymmetric": attributes["alignment"] = "asymmetric"
            default: throw operation.unsupported("has the alignment \(quoted(alignment))")
            }
        default: throw operation.unsupported("has the mode \(quoted(mode)); nearest and linear are read")
        }
        return .activation(
            ONNXActivation(try add("upsample", operation, [image.node], attributes), [image.stored[0]] + size))
    }

    /// Whether a new pixel's middle lies just between two old ones, so that it matters which is the nearest.
    private static func hasTies(_ old: Int, _ size: Int, isCorners: Bool) -> Bool {
        guard isCorners else { return (0..<size).contains { ((2 * $0 + 1) * old) % (2 * size) == 0 } }
        return (0..<size).contains { i in
            let (twice, steps) = (2 * i * (old - 1), max(size - 1, 1))
            return twice % steps == 0 && twice / steps % 2 == 1
        }
    }

    private func newSize(_ operation: ONNXOperator, _ image: ONNXActivation, isOld: Bool) throws -> [Int] {
        let (rank, old) = (4, [0] + image.stored)
        let axes = try operation.integers("axes")?.map { try operation.axis($0, rank: rank) } ?? Array(0..<rank)
        var size = old
        let place = isOld ? 1 : 2
        if let scales = try scales(operation, place) {
            guard scales.count == axes.count else { throw operation.malformed("has \(scales.count) scales") }
            for (axis, scale) in zip(axes, scales) where scale != 1 {
                guard axis >= 2, scale > 0, scale <= 1024 else {
                    throw operation.unsupported("has the scale \(scale) on axis \(axis)")
                }
                let exact = Float(old[axis]) * scale
                size[axis] = Int((exact + 1e-3).rounded(.down))
                // Where a part of a pixel is cut off, the scale is not the ratio of the sizes.
                guard abs(exact - Float(size[axis])) < 1e-2 else {
                    throw operation.unsupported(
                        "has the scale \(scale), which makes no whole number of \(old[axis]) pixels")
                }
            }
        } else if !isOld, let sizes = try operation.optionalConstant(3)?.list() {
            guard sizes.count == axes.count else { throw operation.malformed("has \(sizes.count) sizes") }
            for (axis, new) in zip(axes, sizes) where axis >= 1 { size[axis] = new }
            guard size[1] == old[1] else { throw operation.unsupported("changes the number of channels") }
        } else {
            throw operation.malformed("has neither scales nor sizes")
        }
        guard size[2...].allSatisfy(Self.extents.contains) else {
            throw operation.malformed("makes an image of \(printable("\(size)"))")
        }
        return Array(size[2...])
    }

    private func scales(_ operation: ONNXOperator, _ place: Int) throws -> [Float]? {
        if case .floats(let values)? = operation.node.attributes["scales"] { return values }
        guard let constant = try operation.optionalConstant(place), constant.count > 0 else { return nil }
        guard constant.count <= 4 else { throw operation.malformed("has \(constant.count) scales") }
        let numbers = try constant.floats()
        return (0..<constant.count).map { numbers[$0] }
    }
}
