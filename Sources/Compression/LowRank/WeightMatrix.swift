import Networks
import Numerics

/// A layer's weights as a matrix, of which the columns belong to the first of two layers and the rows to the second.
struct WeightMatrix {
    let form: LayerFactors.Form
    let rows: Int
    let columns: Int
    /// Multiply-adds of the two layers for each unit of rank.
    let unitCost: Int
    let element: (Int, Int) -> Double

    /// About how long its singular values take.
    var work: Double { Double(rows) * Double(columns) * Double(min(rows, columns)) }
}

extension Network {
    /// The forms in which a node's layer can be factorised; none for other layers, and for weights that nodes share.
    func weightMatrices(of index: Int) -> [WeightMatrix] {
        let node = nodes[index]
        guard !graph.sharingNodes.contains(node.name) else { return [] }
        switch node.layer {
        case let layer as Linear:
            let weight = layer.weight.value, (outputs, inputs) = (weight.shape[0], weight.shape[1])
            return [
                WeightMatrix(form: .linear, rows: outputs, columns: inputs, unitCost: (inputs + outputs) * layer.positions) {
                    Double(weight[$0 * inputs + $1])
                }
            ]
        case let layer as Convolution where layer.geometry.groups == 1:
            return matrices(of: layer, from: shapes(of: node.inputs)[0], to: node.outputShape)
        default: return []
        }
    }

    private func matrices(of layer: Convolution, from input: Shape, to output: Shape) -> [WeightMatrix] {
        let (weight, geometry) = (layer.weight.value, layer.geometry)
        let (kernel, outputs, inputs) = (geometry.kernel, geometry.outputs, geometry.inputs)
        let window = inputs * kernel.y * kernel.x
        let (_, height, width) = output.channelsHeightWidth
        var matrices = [
            WeightMatrix(form: .channels, rows: outputs, columns: window, unitCost: (window + outputs) * height * width) {
                Double(weight[$0 * window + $1])
            }
        ]
        if kernel.y > 1, kernel.x > 1 {
            // Rows are (output, x), columns (input, y).
            let columnsCost = inputs * kernel.y * height * input.channelsHeightWidth.width
            matrices.append(
                WeightMatrix(
                    form: .separable, rows: outputs * kernel.x, columns: inputs * kernel.y,
                    unitCost: columnsCost + outputs * kernel.x * height * width
                ) { row, column in
                    let (output, x, input, y) = (row / kernel.x, row % kernel.x, column / kernel.y, column % kernel.y)
                    return Double(weight[((output * inputs + input) * kernel.y + y) * kernel.x + x])
                })
        }
        return matrices
    }
}

extension Network.Node {
    /// The two nodes in the place of this one.
    /// - Parameters:
    ///   - node: this one's description.
    ///   - first: the name of the first; the second keeps this one's.
    func factorised(_ node: Graph.Node, as form: LayerFactors.Form, first: String, rank: Int) -> [Graph.Node] {
        var (one, two) = (node, node)
        one.name = first
        one.attributes["outputs"] = .integer(rank)
        one.attributes["bias"] = false
        two.inputs = [first]
        guard let geometry = (layer as? Convolution)?.geometry else { return [one, two] }
        let (kernel, stride, padding, dilation) = (geometry.kernel, geometry.stride, geometry.padding, geometry.dilation)
        two.attributes = node.attributes.filter { ["outputs", "bias"].contains($0.key) }
        switch form {
        case .separable:
            one.attributes["kernel"] = [kernel.y, 1]
            one.attributes["stride"] = [stride.y, 1]
            one.attributes["padding"] = [padding.top, 0, padding.bottom, 0]
            one.attributes["dilation"] = [dilation.y, 1]
            two.attributes["kernel"] = [1, kernel.x]
            two.attributes["stride"] = [1, stride.x]
            two.attributes["padding"] = [0, padding.left, 0, padding.right]
            two.attributes["dilation"] = [1, dilation.x]
        case .channels, .linear: two.attributes["kernel"] = 1
        }
        return [one, two]
    }
}

extension LayerFactors.Form {
    /// Writes the second layer's weights for one unit of rank: [outputs, rank], with a row of taps for each in a separable one.
    func writeColumn(_ column: [Double], _ i: Int, of rank: Int, outputs: Int, to weight: Tensor) {
        let taps = column.count / outputs
        for output in 0..<outputs {
            for tap in 0..<taps { weight[(output * rank + i) * taps + tap] = Float(column[output * taps + tap]) }
        }
    }
}
