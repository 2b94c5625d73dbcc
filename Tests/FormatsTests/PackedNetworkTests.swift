import Networks
import Numerics
import TestSupport
import Testing

@testable import Formats

@Suite struct HuffmanCodeTests {
    @Test("What is written is read", arguments: [[5, 3, 1, 1], [7], [0, 4, 0], [1, 1], [1000, 1, 0, 1, 1, 30]])
    func roundTrip(counts: [Int]) throws {
        let code = HuffmanCode(counts: counts)
        var writer = BitWriter()
        let symbols = counts.indices.flatMap { [Int](repeating: $0, count: counts[$0]) }.shuffled(using: &Fixed.generator)
        for symbol in symbols { code.write(symbol, to: &writer) }
        var reader = BitReader(writer.bytes)
        let again = try HuffmanCode(lengths: code.lengths)
        for symbol in symbols { #expect(try again.read(&reader) == symbol) }
        #expect(reader.bytesLeft == 0)
    }

    @Test("Frequent symbols have short codes, as short as the entropy and one bit at most")
    func optimal() {
        let counts = [900, 50, 30, 10, 5, 3, 1, 1]
        let lengths = HuffmanCode(counts: counts).lengths
        #expect(lengths[0] == 1 && lengths == lengths.sorted())
        #expect(lengths == [1, 2, 3, 4, 5, 6, 7, 7])
    }

    @Test("No code is longer than the longest, however rare its symbol")
    func limited() {
        var counts = [1, 1]
        for _ in 0..<40 { counts.append(counts.suffix(2).reduce(0, +)) }
        let lengths = HuffmanCode(counts: counts).lengths
        #expect(lengths.max() == HuffmanCode.longest)
        #expect(throws: Never.self) { try HuffmanCode(lengths: lengths) }
    }

    @Test("Lengths that make no code are refused", arguments: [[1, 1, 1], [2, 2, 2], [1, 2], [2], [3, 3]])
    func refused(lengths: [Int]) { #expect(throws: DaflError.self) { try HuffmanCode(lengths: lengths) } }
}

private enum Fixed {
    struct Generator: RandomNumberGenerator {
        var philox = Philox(seed: 2, stream: .noise)
        mutating func next() -> UInt64 { UInt64(philox.next()) << 32 | UInt64(philox.next()) }
    }
    nonisolated(unsafe) static var generator = Generator()
}

@Suite struct PackedNetworkTests {
    private func roundTrip(_ values: [Float]) throws -> [Float] {
        let tensor = try Tensor([values.count]), again = try Tensor([values.count])
        for (i, value) in values.enumerated() { tensor[i] = value }
        again.fill(9)
        var writer = BitWriter()
        PackedTensor.write(tensor, to: &writer)
        var reader = BitReader(writer.bytes)
        try PackedTensor.read(again, &reader)
        #expect(reader.bytesLeft == 0)
        return (0..<values.count).map { again[$0] }
    }

    @Test("Bytes for bytes: zeros, long runs of them, shared values, all different, one, minus zero")
    func tensors() throws {
        var random = Philox(seed: 3, stream: .noise)
        let shared = (0..<500).map { _ in [Float(0.5), -0.25, 3e-8, 7][random.next(below: 4)] }
        let different = (0..<77).map { _ in random.nextUniform() }
        var sparse = [Float](repeating: 0, count: 1000)
        for place in [0, 1, 62, 125, 126, 189, 253, 700, 998] { sparse[place] = shared[place % 500] }
        var all = [shared, different, sparse, sparse + [0], [0.5], [0], [-0.0, 0, 1], [Float](repeating: 0, count: 126)]
        all.append([Float](repeating: 0, count: 63) + [1])
        all.append([Float](repeating: 0, count: 62) + [1, 1, 1, 1])
        all.append((0..<300).map { $0 % 9 == 0 ? random.nextUniform() : 0 })
        for values in all {
            #expect(try roundTrip(values).map(\.bitPattern) == values.map(\.bitPattern))
        }
    }

    private func packed() throws -> Network {
        let network = try Network(architecture: "lenet5-half")
        var random = Philox(seed: 1, stream: .weights)
        network.initialise(&random)
        for parameter in network.parameters where parameter.value.shape.rank > 1 {
            for i in 0..<parameter.value.count { parameter.value[i] = [0, 0, 0, 0, 0, 0.5, 0.25, -0.125][random.next(below: 8)] }
        }
        return network
    }

    @Test("A network comes back from a file many times smaller, and the same one makes the same bytes")
    func network() throws {
        let network = try packed()
        let folder = TemporaryFolder()
        try network.save(path: folder["plain"])
        try network.savePacked(path: folder["small"])
        let read = try Network.load(path: folder["small"])
        for (a, b) in zip(network.parameters, read.parameters) {
            for i in 0..<a.value.count { #expect(a.value[i].bitPattern == b.value[i].bitPattern) }
        }
        try read.savePacked(path: folder["again"])
        #expect(folder.bytes(of: "small") == folder.bytes(of: "again"))
        #expect(folder.bytes(of: "plain").count > 14 * folder.bytes(of: "small").count)
    }

    @Test("A file cut off, longer, of another network or compression is refused; no flipped bit does harm")
    func hostile() throws {
        let network = try packed()
        let folder = TemporaryFolder()
        try network.savePacked(path: folder["small"])
        let whole = folder.bytes(of: "small")
        func load(_ bytes: [UInt8]) throws -> Network {
            try bytes.withUnsafeBytes { try NetworkFile(MemoryBytes(borrowing: $0)).load() }
        }
        #expect(throws: Never.self) { try load(whole) }
        #expect(throws: DaflError.self) { try load(whole.dropLast(9)) }
        let text = String(decoding: whole, as: Unicode.ASCII.self)
        let kind = try #require(text.firstRange(of: "huffman"))
        var other = whole
        other[text.distance(from: text.startIndex, to: kind.lowerBound)] = UInt8(ascii: "x")
        let error = #expect(throws: DaflError.self) { try load(other) }
        #expect(error?.status == .unsupported)
        for place in stride(from: 0, to: whole.count, by: 83) {
            var broken = whole
            broken[place] ^= 1 << UInt8(place % 8)
            _ = try? load(broken)
        }
    }
}
