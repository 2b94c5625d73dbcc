import Numerics

/// Nearest-neighbour upsampling: every pixel becomes factor x factor pixels.
package final class Upsampling: FusibleLayer {
    private let factor: Int

    init(factor: Int) {
        self.factor = factor
    }

    package func outputShape(_ inputs: [Shape]) throws -> Shape {
        let (channels, height, width) = try soleInput(inputs, of: "upsampling").channelsHeightWidth
        return try Shape([channels, height * factor, width * factor])
    }

    package func backwardReads(trains: Bool) -> BackwardReads { [] }

    package func plan(_ site: Site) throws -> any Operation { UpsamplingOperation(site, factor: factor) }

    func fused(with next: any Layer, _ compute: Compute) -> (any Layer)? {
        guard let convolution = next as? Convolution else { return nil }
        return UpsampledConvolution(convolution, factor: factor, compute)
    }
}

final class UpsamplingOperation: Operation {
    private let site: Site
    private let factor: Int
    private let planes: Int
    private let height: Int
    private let width: Int

    init(_ site: Site, factor: Int) {
        self.site = site
        self.factor = factor
        let channels: Int
        (channels, height, width) = site.inputs[0].value.shape.channelsHeightWidth
        planes = channels * site.inputs[0].value.blocks
    }

    func forward(training: Bool) {
        let (x, y) = (site.inputs[0].value, site.output.value)
        site.compute.parallel(planes) { range in
            site.compute.kernels.upsample(
                height, width, factor, x.pointer, y.pointer, range.lowerBound, range.upperBound)
        }
    }

    func backward() {
        guard let dy = site.output.gradient, let dx = site.inputs[0].gradient else { return }
        site.compute.parallel(planes) { range in
            site.compute.kernels.upsample_gradient(
                height, width, factor, dy.pointer, dx.pointer, range.lowerBound, range.upperBound)
        }
    }
}
