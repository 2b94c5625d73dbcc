import Numerics

/// Nearest-neighbour upsampling by 2 followed by a 3 x 3 convolution, without the upsampled image.
final class UpsampledConvolution: Layer {
    private let convolution: Convolution

    /// nil when the two are better done one after the other.
    init?(_ convolution: Convolution, factor: Int, _ compute: Compute) {
        guard factor == 2, WinogradOperation.pays(convolution, upsampling: 2, compute) else { return nil }
        self.convolution = convolution
    }

    var parameters: [Parameter] { convolution.parameters }

    func outputShape(_ inputs: [Shape]) throws -> Shape {
        try convolution.outputShape([Upsampling(factor: 2).outputShape(inputs)])
    }

    func multiplyAdds(_ inputs: [Shape], output: Shape) -> Int { convolution.multiplyAdds(inputs, output: output) }

    func backwardReads(trains: Bool) -> BackwardReads { convolution.backwardReads(trains: trains) }

    func plan(_ site: Site) throws -> any Operation { try WinogradOperation(site, convolution, upsampling: 2) }
}
