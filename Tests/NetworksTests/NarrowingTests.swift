import Numerics
import Testing

@testable import Networks

struct NarrowingTests {
    private let compute: Compute
    private var random = Philox(seed: 9, stream: .samples)

    init() throws { compute = try Compute(threads: 1) }

    /// Two convolutions, a shortcut that pads channels, a mean and a linear layer.
    private static func graph(_ width: Int, norms: Bool = false) -> Graph {
        var graph = Graph("residual", input: [3, 8, 8])
        graph.add(.convolution, "first", ["outputs": .integer(width), "kernel": 3, "padding": 1])
        if norms { graph.add(.batchNorm, "first.norm") }
        let trunk = graph.add(.relu, "trunk", inputs: [graph.last])
        graph.add(.convolution, "inner", inputs: [trunk], ["outputs": .integer(2 * width), "kernel": 3, "padding": 1])
        graph.add(.relu)
        graph.add(.convolution, "outer", ["outputs": .integer(2 * width), "kernel": 3, "padding": 1])
        let outer = graph.last
        graph.add(
            .pad, "shortcut", inputs: [trunk],
            ["before": .integers([width / 2, 0, 0]), "after": .integers([width - width / 2, 0, 0])])
        graph.add(.add, "sum", inputs: [outer, "shortcut"])
        graph.add(.relu)
        graph.add(.globalAveragePool)
        graph.add(.flatten)
        graph.add(.linear, "fc", ["outputs": 5])
        return graph
    }

    private mutating func teacher(_ width: Int, norms: Bool = false) throws -> Network {
        let network = try Network(Self.graph(width, norms: norms))
        network.initialise(&random)
        for parameter in network.parameters where parameter.name.hasSuffix("running_var") {
            for i in 0..<parameter.value.count { parameter.value[i] = 0.5 + random.nextUniform() }
        }
        return network
    }

    private func logits(_ network: Network, _ images: Batch) throws -> [Float] {
        let pass = try Pass(network, input: images, compute)
        pass.forward()
        return (0..<images.samples).flatMap { sample in (0..<pass.output.elements).map { pass.output[sample, $0] } }
    }

    private mutating func images() throws -> Batch {
        let images = try Batch(samples: 32, shape: Shape([3, 8, 8]))
        random.fillNormal(images)
        return images
    }

    private func narrowing(_ teacher: Network, _ width: Double, _ images: Batch) throws -> Narrowing {
        let narrowing = try #require(try Narrowing(teacher, width: width))
        let pass = try Pass(narrowing.network, input: images, watching: narrowing.watched, compute)
        pass.forward()
        narrowing.add(pass.watched)
        return narrowing
    }

    /// Also where the teacher's normalisations are folded and the student has some of its own.
    @Test(arguments: [false, true]) mutating func allChannelsGiveTheTeacher(norms: Bool) throws {
        let (teacher, images) = (try teacher(4, norms: norms), try images())
        let student = try Network(try teacher.foldingBatchNorms().graph.restoringBatchNorms())
        #expect(try narrowing(teacher, 1, images).write(to: student))
        for (a, b) in zip(try logits(student, images), try logits(teacher, images)) { #expect(abs(a - b) < 1e-4) }
    }

    /// Channels that say what others say are those to go.
    @Test mutating func copiesOfChannelsAreNotMissed() throws {
        let (half, images) = (try teacher(4), try images())
        let whole = try Network(Self.graph(8))
        // Channel c of the half is twice in the whole; who reads both takes half of each. The shortcut's padding of 2 and 2
        // becomes 4 and 4 that way.
        for parameter in whole.parameters {
            let small = try #require(half.parameter(named: parameter.name)).value, large = parameter.value
            let rows = large.shape[0], isLast = parameter.name.hasPrefix("fc")
            let row = large.count / rows, columns = large.shape.rank > 1 ? large.shape[1] : 1
            let taps = row / columns
            for o in 0..<rows {
                let old = isLast ? o : o / 2
                for i in 0..<columns {
                    let isRead = large.shape.rank > 1 && !parameter.name.hasPrefix("first")
                    let from = isRead ? i / 2 : i, count = isRead ? columns / 2 : columns
                    for k in 0..<taps {
                        large[(o * columns + i) * taps + k] = small[(old * count + from) * taps + k] * (isRead ? 0.5 : 1)
                    }
                }
            }
        }
        let wanted = try logits(half, images)
        for (a, b) in zip(try logits(whole, images), wanted) { #expect(abs(a - b) < 1e-4) }
        let student = try Network(Self.graph(4))
        let narrowing = try narrowing(whole, 0.5, images)
        #expect(try narrowing.write(to: student))
        for (a, b) in zip(try logits(student, images), wanted) { #expect(abs(a - b) < 2e-3) }
        let kept = try #require(narrowing.input(of: "inner"))
        #expect(kept.channels.map { $0 / 2 } == [0, 1, 2, 3] && kept.variance > 0)
        #expect(narrowing.input(of: "first") == nil && narrowing.input(of: "sum") == nil)
    }

    @Test mutating func unitsGoIntoTheFirstLayer() throws {
        let (teacher, images) = (try teacher(4), try images())
        let units = try InputUnits(mean: 3, deviation: 2)
        let given = try Batch(samples: 32, shape: Shape([3, 8, 8]))
        for i in 0..<given.count { given.pointer[i] = 2 * images.pointer[i] + 3 }
        let student = try Network(Self.graph(4))
        #expect(try narrowing(teacher, 1, given).write(to: student, units: units))
        let (standard, own) = (
            try Pass(student, input: images, watching: [0], compute), try Pass(teacher, input: given, watching: [0], compute)
        )
        standard.forward()
        own.forward()
        // In the middle, which no edge reaches.
        for channel in 0..<4 {
            let place = channel * 64 + 4 * 8 + 4
            #expect(abs(standard.watched[0][5, place] - own.watched[0][5, place]) < 1e-4)
        }
    }

    @Test func otherLayersAreRefused() throws {
        var graph = Graph("normed", input: [3, 8, 8])
        graph.add(.convolution, "first", ["outputs": 4, "kernel": 3])
        graph.add(.layerNorm)
        graph.add(.flatten)
        graph.add(.linear, "fc", ["outputs": 5])
        #expect(try Narrowing(Network(graph), width: 0.5) == nil)
    }

    @Test mutating func aStudentOfAnotherSizeStaysAsItWas() throws {
        let (teacher, images) = (try teacher(4), try images())
        let student = try Network(Self.graph(6))
        #expect(try !narrowing(teacher, 0.5, images).write(to: student))
        #expect(student.parameters.allSatisfy { parameter in (0..<parameter.value.count).allSatisfy { parameter.value[$0] == 0 } })
    }
}
