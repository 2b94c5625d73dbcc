import Networks
import Numerics
import Testing

@testable import Compression

@Suite struct PruningTests {
    private func zeros(_ network: Network) -> [Int] {
        network.parameters.filter { $0.value.shape.rank >= 2 }.map { parameter in
            (0..<parameter.value.count).count { parameter.value[$0] == 0 }
        }
    }

    @Test("As many weights become zero as asked for", arguments: [0.1, 0.5, 0.9, 0.99])
    func share(share: Double) throws {
        let network = try network("lenet5-half")
        let pruned = try compressed(network) { $0.prune = share }
        let weights = network.parameters.filter { $0.value.shape.rank >= 2 }.reduce(0) { $0 + $1.value.count }
        let gone = zeros(pruned).reduce(0, +), wanted = Int(share * Double(weights))
        #expect(abs(gone - wanted) <= 1)
    }

    @Test("In each layer the zeros are its smallest weights, and the others stay")
    func smallest() throws {
        let network = try network("mlp-20-30-7")
        let pruned = try compressed(network) { $0.prune = 0.6 }
        for (before, after) in zip(network.parameters, pruned.parameters) {
            let places = 0..<before.value.count
            let gone = places.filter { after.value[$0] != before.value[$0] }
            #expect(gone.allSatisfy { after.value[$0] == 0 })
            if before.value.shape.rank < 2 { #expect(gone.isEmpty) }
            let left = places.filter { after.value[$0] != 0 }.map { abs(before.value[$0]) }.min() ?? .infinity
            #expect(gone.allSatisfy { abs(before.value[$0]) <= left })
        }
    }

    @Test("A layer whose weights are all small loses no more of them than one whose are large")
    func scales() throws {
        let network = try network("mlp-20-20-20")
        let (first, second) = (network.parameters[0].value, network.parameters[2].value)
        for i in 0..<first.count { first[i] = second[i] * 1000 }
        let zeros = zeros(try compressed(network) { $0.prune = 0.7 })
        #expect(zeros[0] == zeros[1])
    }

    @Test("What was pruned stays so with more rounds, and equal weights go in order")
    func rounds() throws {
        let network = try network("mlp-20-30-7")
        let once = try compressed(network) { $0.prune = 0.5 }
        let twice = try compressed(once) { $0.prune = 0.8 }
        for (a, b) in zip(once.parameters, twice.parameters) {
            for i in 0..<a.value.count where a.value[i] == 0 { #expect(b.value[i] == 0) }
        }
        let equal = try network.copy()
        for parameter in equal.parameters { parameter.value.fill(0.5) }
        let gone = zeros(try compressed(equal) { $0.prune = 0.25 }).reduce(0, +)
        #expect((201...203).contains(gone))  // of 20 * 30 + 30 * 7
    }
}

@Suite struct WeightSharingTests {
    private func values(_ tensor: Tensor) -> Set<Float> { Set((0..<tensor.count).map { tensor[$0] }) }

    @Test("Each layer has at most 2^bits values, which are the means of what they stand for; zeros stay")
    func values() throws {
        let network = try compressed(network("lenet5-half")) { $0.prune = 0.5 }
        let shared = try compressed(network) { ($0.bits, $0.convolutionBits) = (3, 4) }
        for (before, after) in zip(network.parameters, shared.parameters) {
            guard before.value.shape.rank >= 2 else {
                #expect(values(before.value) == values(after.value))
                continue
            }
            let values = values(after.value).subtracting([0])
            #expect(values.count <= (before.value.shape.rank > 2 ? 16 : 8) && values.count >= 6)
            for value in values {
                let all = (0..<before.value.count).filter { after.value[$0] == value }.map { Double(before.value[$0]) }
                let mean: Double = all.reduce(0, +) / Double(all.count)
                #expect(abs(mean - Double(value)) < 1e-6)
            }
            for i in 0..<before.value.count { #expect((before.value[i] == 0) == (after.value[i] == 0)) }
        }
    }

    @Test("Every weight has the value next to it")
    func nearest() throws {
        let network = try network("mlp-12-9-5")
        let shared = try compressed(network) { $0.bits = 2 }
        for (before, after) in zip(network.parameters, shared.parameters) where before.value.shape.rank >= 2 {
            let all = values(after.value)
            for i in 0..<before.value.count {
                let (number, value): (Float, Float) = (before.value[i], after.value[i])
                let nearest: Float = all.map { abs($0 - number) }.min() ?? 0
                let isNearest = abs(value - number) < nearest + 1e-6
                #expect(isNearest)
            }
        }
    }

    @Test("Values that are few already stay as they are")
    func few() throws {
        let network = try network("mlp-12-9-5")
        for parameter in network.parameters { for i in 0..<parameter.value.count { parameter.value[i] = [-0.5, 0.25, 1][i % 3] } }
        let shared = try compressed(network) { $0.bits = 4 }
        for (a, b) in zip(network.parameters, shared.parameters) { #expect(values(a.value) == values(b.value)) }
    }

    @Test("A value that comes to be zero stays one, and its weights do not go to another")
    func meanOfZero() throws {
        let network = try network("mlp-3-2")
        for (i, value) in [Float(1), -1, 100, 100, 1, -1].enumerated() { network.parameters[0].value[i] = value }
        let shared = try compressed(network) { $0.bits = 1 }.parameters[0].value
        #expect(shared[2] == 100 && shared[3] == 100)
        for i in [0, 1, 4, 5] { #expect(shared[i] != 0 && abs(shared[i]) < 1e-20) }
    }

    @Test("What cannot be is refused in a sentence")
    func refused() throws {
        let network = try network("mlp-12-9-5")
        #expect(throws: DaflError.self) { try compressed(network) { $0.convolutionBits = 4 } }
        #expect(throws: DaflError.self) { try compressed(network) { $0.bits = 13 } }
        #expect(throws: DaflError.self) { try compressed(network) { $0.prune = 1.5 } }
    }
}
