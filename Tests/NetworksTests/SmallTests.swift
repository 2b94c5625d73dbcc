import Networks
import Numerics
import Testing

@Suite struct SmallTests {
    @Test(arguments: [1, 3]) func isLeNet5HalfAt32(channels: Int) throws {
        let small = Graph.small(input: [channels, 32, 32], classes: 7)
        let half = try Graph(architecture: "lenet5-half(channels=\(channels),classes=7)")
        #expect(small.nodes == half.nodes)
        #expect(small.feature == half.feature)
        #expect(try Graph.small(input: [1, 28, 28], classes: 10).nodes == Graph(architecture: "lenet5-half(side=28)").nodes)
    }

    static let inputs = [
        [1], [2], [13], [784], [5000], [1, 1, 1], [64, 1, 1], [1, 1, 2], [3, 2, 1], [1, 8, 8], [3, 15, 15], [1, 16, 16], [3, 16, 40],
        [2, 16, 41], [1, 1, 100], [3, 300, 1], [1, 49, 10], [3, 64, 64], [3, 65, 97], [1, 96, 96], [3, 224, 224], [3, 512, 512],
        [1, 512, 3], [200, 5, 5], [4, 6], [2, 3, 4, 5],
    ]

    @Test(arguments: inputs, [1, 10]) func fitsAnyInput(input: [Int], classes: Int) throws {
        let network = try Network(Graph.small(input: input, classes: classes))
        network.drawQuickly()
        #expect(network.outputShape.dimensions == [classes])
        #expect(network.featureShape != nil)
        // What a small machine trains in a reasonable time.
        #expect(network.multiplyAdds < 350_000_000)
        #expect(network.parameterCount < 4_000_000)
        try expectFiniteOutputs(of: network)
    }

    @Test func anImpossibleInputIsTheNetworksError() {
        for input in [[0], [3, 0, 5], [-1, 4, 4], [Int.max, Int.max]] {
            #expect(throws: DaflError.self) { try Network(Graph.small(input: input, classes: 2)) }
        }
    }
}
