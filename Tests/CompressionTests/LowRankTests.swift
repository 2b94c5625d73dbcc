import Networks
import Numerics
import TestSupport
import Testing

@testable import Compression

@Suite struct SingularValuesTests {
    private let compute: Compute
    init() throws { compute = try Compute(threads: 2) }

    private func matrix(_ rows: Int, _ columns: Int, rank: Int? = nil) -> [[Double]] {
        var random = Philox(seed: 3, stream: .weights)
        func normal() -> Double { Double(random.nextUniform()) * 2 - 1 }
        guard let rank else { return (0..<rows).map { _ in (0..<columns).map { _ in normal() } } }
        let left = (0..<rows).map { _ in (0..<rank).map { _ in normal() } }
        let right = (0..<rank).map { _ in (0..<columns).map { _ in normal() } }
        return left.map { row in (0..<columns).map { j in (0..<rank).reduce(0) { $0 + row[$1] * right[$1][j] } } }
    }

    @Test("All terms together are the matrix, and vectors have length 1", arguments: [(7, 7), (5, 12), (13, 6), (1, 9), (9, 1), (1, 1)])
    func sumOfTerms(rows: Int, columns: Int) throws {
        let a = matrix(rows, columns)
        let svd = try SingularValues(rows: rows, columns: columns, compute) { a[$0][$1] }
        #expect(svd.values == svd.values.sorted(by: >))
        let terms = svd.values.indices.map { svd.vectors($0) }
        for (u, v) in terms {
            #expect(abs(u.reduce(0) { $0 + $1 * $1 } - 1) < 1e-9)
            #expect(abs(v.reduce(0) { $0 + $1 * $1 } - 1) < 1e-9)
        }
        for i in 0..<rows {
            for j in 0..<columns {
                let sum = terms.indices.reduce(0.0) { $0 + svd.values[$1] * terms[$1].u[i] * terms[$1].v[j] }
                #expect(abs(sum - a[i][j]) < 1e-9)
            }
        }
    }

    @Test("The squares of the singular values add up to those of the matrix")
    func energy() throws {
        let a = matrix(20, 33)
        let svd = try SingularValues(rows: 20, columns: 33, compute) { a[$0][$1] }
        let wanted = a.joined().reduce(0) { $0 + $1 * $1 }
        #expect(abs(svd.values.reduce(0) { $0 + $1 * $1 } - wanted) < 1e-9 * wanted)
    }

    @Test("A matrix of rank 3 has three singular values, and one of zeros has none")
    func deficient() throws {
        let a = matrix(10, 14, rank: 3)
        let svd = try SingularValues(rows: 10, columns: 14, compute) { a[$0][$1] }
        #expect(svd.values[2] > 1e-3)
        #expect(svd.values[3...].allSatisfy { $0 < 1e-9 })
        let zeros = try SingularValues(rows: 4, columns: 3, compute) { _, _ in 0 }
        #expect(zeros.values == [0, 0, 0])
        #expect(zeros.vectors(0).u == [0, 0, 0, 0])
    }

    /// What is left of the others is rounding, with no direction of its own.
    @Test("Rows that are the same many times over have one singular value, and no more vectors than that", arguments: [1, 4])
    func repeated(distinct: Int) throws {
        let few = matrix(distinct, 24)
        let svd = try SingularValues(rows: 20, columns: 24, compute) { few[$0 % distinct][$1] }
        #expect(svd.values[distinct - 1] > 1 && svd.values[distinct...].allSatisfy { $0 == 0 })
        let terms = svd.values.indices.map { svd.vectors($0) }
        for i in 0..<20 {
            for j in 0..<24 {
                let sum = terms.indices.reduce(0.0) { $0 + svd.values[$1] * terms[$1].u[i] * terms[$1].v[j] }
                #expect(abs(sum - few[i % distinct][j]) < 1e-6)
            }
        }
    }

    @Test("The same numbers whatever the threads")
    func threads() throws {
        let a = matrix(31, 40)
        let one = try SingularValues(rows: 31, columns: 40, Compute(threads: 1)) { a[$0][$1] }
        let three = try SingularValues(rows: 31, columns: 40, Compute(threads: 3)) { a[$0][$1] }
        #expect(one.values == three.values)
        #expect(one.vectors(4).u == three.vectors(4).u)
    }
}

@Suite struct LowRankTests {
    @Test("With nearly all of the energy the answers stay as they are", arguments: ["lenet5-half", "mlp-20-30-7", "dscnn"])
    func nearlyAll(architecture: String) throws {
        let network = try network(architecture)
        // At a rank that no layer gets cheaper by, one linear layer of rank 2 does.
        if let weight = network.parameters.first(where: { $0.value.shape.rank == 2 })?.value {
            for row in 2..<weight.shape[0] {
                for i in 0..<weight.shape[1] { weight[row * weight.shape[1] + i] = weight[(row % 2) * weight.shape[1] + i] * Float(row) / 9 }
            }
        }
        let smaller = try compressed(network) { $0.energy = 1 - 1e-9 }
        #expect(smaller.multiplyAdds < network.multiplyAdds)
        for (a, b) in zip(try outputs(network), try outputs(smaller)) { #expect(abs(a - b) < 1e-4) }
    }

    /// Kernels that are sums of few columns times rows, and few window patterns: either form gives them back.
    @Test("A convolution of low rank stays the same in either form, with strides, borders and dilation", arguments: [true, false])
    func convolutions(isSeparable: Bool) throws {
        var graph = Graph("one", input: [3, 11, 12])
        graph.add(.convolution, "conv", ["outputs": 8, "kernel": [3, 5], "stride": [2, 1], "padding": [1, 2, 0, 3], "dilation": [1, 2]])
        graph.add(.flatten)
        let network = try Network(graph)
        var random = Philox(seed: 1, stream: .weights)
        network.initialise(&random)
        let weight = try #require(network.parameter(named: "conv.weight")).value
        func normal() -> Float { random.nextUniform() - 0.5 }
        let first = (0..<45).map { _ in normal() }, second = (0..<40).map { _ in normal() }
        for output in 0..<8 {
            for input in 0..<3 {
                for y in 0..<3 {
                    for x in 0..<5 {
                        weight[((output * 3 + input) * 3 + y) * 5 + x] =
                            isSeparable ? first[input * 3 + y] * second[output * 5 + x] : first[(input * 3 + y) * 5 + x] * second[output]
                    }
                }
            }
        }
        let smaller = try compressed(network) { $0.rank = 1 }
        let kernels = smaller.nodes.compactMap { ($0.layer as? Convolution)?.geometry.kernel }.map { [$0.y, $0.x] }
        #expect(kernels == (isSeparable ? [[3, 1], [1, 5]] : [[3, 5], [1, 1]]))
        for (a, b) in zip(try outputs(network), try outputs(smaller)) { #expect(abs(a - b) < 1e-5) }
    }

    @Test("Multiply-adds come to the share asked for", arguments: [0.75, 0.5, 0.3])
    func share(wanted: Double) throws {
        for architecture in ["lenet5-half", "mlp-64-48-24-10"] {
            let network = try network(architecture)
            let got = Double(try compressed(network) { $0.multiplyAdds = wanted }.multiplyAdds) / Double(network.multiplyAdds)
            // A unit of rank of the largest layer is the smallest step.
            #expect(got <= wanted && got > wanted - 0.1, "\(architecture): \(got)")
        }
    }

    @Test("What cannot be is refused in a sentence")
    func refused() throws {
        let network = try network("lenet5-half")
        func expect(_ status: Status, _ part: String, _ network: Network, _ set: (inout Compression) -> Void) {
            let error = #expect(throws: DaflError.self) { try compressed(network, set) }
            #expect(error?.status == status && error?.description.contains(part) == true, "\(String(describing: error))")
        }
        expect(.invalidArgument, "nothing is asked", network) { _ in }
        expect(.invalidArgument, "energy is 1.5", network) { $0.energy = 1.5 }
        expect(.invalidArgument, "rank is -1", network) { $0.rank = -1 }
        expect(.invalidArgument, "only one of", network) { ($0.rank, $0.energy) = (2, 0.5) }
        expect(.invalidArgument, "at least", network) { $0.multiplyAdds = 0.001 }
        expect(.unsupported, "cheaper", network) { $0.rank = 1000 }
        var bare = Graph("bare", input: [4])
        bare.add(.relu)
        expect(.unsupported, "no linear layer or convolution", try Network(bare)) { $0.rank = 1 }
        let broken = try network.copy()
        broken.parameters[0].value[3] = .nan
        expect(.invalidArgument, "conv1.weight", broken) { $0.rank = 1 }
    }
}
