import Numerics

/// The middle of an image: [channels, height, width] of anything at least as high and wide. Where a side loses an odd number of
/// pixels, one more goes at its end.
package final class Crop: Layer {
    private let height: Int
    private let width: Int

    /// `height` and `width`.
    init(_ blueprint: Blueprint) throws {
        height = try blueprint.whole("height", 1...Blueprint.limit)
        width = try blueprint.whole("width", 1...Blueprint.limit)
    }

    package func outputShape(_ inputs: [Shape]) throws -> Shape {
        let input = try soleInput(inputs, of: "crop")
        guard input.channelsHeightWidth.height >= height, input.channelsHeightWidth.width >= width else {
            throw DaflError.invalid("the input of a crop", input, "at least \(height) pixels high and \(width) wide")
        }
        return try Shape([input.channelsHeightWidth.channels, height, width])
    }

    package func backwardReads(trains: Bool) -> BackwardReads { [] }

    package func plan(_ site: Site) throws -> any Operation { CropOperation(site) }
}

final class CropOperation: Operation {
    private let site: Site
    private let planes: Int
    private let inputArea: Int
    private let area: Int
    private let inputWidth: Int
    private let width: Int
    /// Of the first pixel that is kept.
    private let offset: Int

    init(_ site: Site) {
        self.site = site
        let (channels, inputHeight, inputWidth) = site.inputs[0].value.shape.channelsHeightWidth
        let (_, height, width) = site.output.value.shape.channelsHeightWidth
        planes = channels * site.output.value.blocks
        (inputArea, area) = (inputHeight * inputWidth, height * width)
        (self.inputWidth, self.width) = (inputWidth, width)
        offset = (inputHeight - height) / 2 * inputWidth + (inputWidth - width) / 2
    }

    func forward(training: Bool) {
        let (x, y) = (site.inputs[0].value.pointer, site.output.value.pointer)
        eachRow { whole, cropped, floats in (y + cropped).update(from: x + whole, count: floats) }
    }

    func backward() {
        guard let dy = site.output.gradient, let dx = site.inputs[0].gradient else { return }
        let (from, to) = (dy.pointer, dx.pointer)
        dx.fill(0)
        eachRow { whole, cropped, floats in (to + whole).update(from: from + cropped, count: floats) }
    }

    /// Calls `body`, from several threads, with where a kept row begins in the whole batch and in the cropped one, and its
    /// length.
    private func eachRow(_ body: (Int, Int, Int) -> Void) {
        site.compute.parallel(planes) { range in
            for plane in range {
                for row in 0..<area / width {
                    body(
                        (plane * inputArea + offset + row * inputWidth) * Batch.lanes,
                        (plane * area + row * width) * Batch.lanes, width * Batch.lanes)
                }
            }
        }
    }
}
