import LaneKernels
import Numerics

/// How the taps of a convolution lie on an image, in either direction, and which channels they connect.
package struct ConvolutionGeometry {
    package let inputs: Int
    package let outputs: Int
    package let kernel: Extent
    package let stride: Extent
    package let padding: Border
    package let dilation: Extent
    package let groups: Int

    /// `outputs`, `kernel`; `stride`, 1; `padding`, 0; `dilation`, 1; `groups`, 1, which divides inputs and outputs: as many as
    /// inputs make a depthwise convolution.
    init(_ blueprint: Blueprint) throws {
        inputs = try blueprint.soleInput().channelsHeightWidth.channels
        outputs = try blueprint.whole("outputs", 1...Blueprint.limit)
        kernel = try blueprint.extent("kernel", 1...Blueprint.limit)
        stride = try blueprint.extent("stride", 1...Blueprint.limit, or: .one)
        padding = try blueprint.border("padding")
        dilation = try blueprint.extent("dilation", 1...Blueprint.limit, or: .one)
        groups = try blueprint.whole("groups", 1...Blueprint.limit, or: 1)
        guard inputs % groups == 0, outputs % groups == 0 else {
            throw blueprint.invalid("groups", groups, "a divisor of its \(inputs) inputs and \(outputs) outputs")
        }
    }

    /// Pixels from the first tap to the last, both included.
    var span: Extent { Extent(y: (kernel.y - 1) * dilation.y + 1, x: (kernel.x - 1) * dilation.x + 1) }

    /// Whether Winograd's algorithm for 3 x 3 kernels fits the taps and channels.
    var fitsWinograd: Bool { kernel.isBoth(3) && stride.isBoth(1) && dilation.isBoth(1) && groups == 1 }

    /// For the kernels: the convolution of an image to a result.
    func sizes(from image: Shape, to result: Shape) -> lane_convolution {
        let ((inputs, height, width), (outputs, rows, columns)) = (image.channelsHeightWidth, result.channelsHeightWidth)
        return lane_convolution(
            inputs: inputs, input_height: height, input_width: width,
            outputs: outputs, output_height: rows, output_width: columns,
            kernel_height: kernel.y, kernel_width: kernel.x, stride_y: stride.y, stride_x: stride.x,
            padding_top: padding.top, padding_left: padding.left, dilation_y: dilation.y, dilation_x: dilation.x,
            groups: groups)
    }
}
