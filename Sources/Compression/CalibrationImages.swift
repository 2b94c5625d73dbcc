import Networks
import Numerics

/// Images in rows that a network is run on, to see what numbers its nodes have.
package struct CalibrationImages {
    /// [count, input]
    let rows: UnsafePointer<Float>
    let count: Int

    /// - Parameter rows: [count, input], in the network's own units; borrowed.
    package init(rows: UnsafePointer<Float>, count: Int) { (self.rows, self.count) = (rows, count) }

    private static let batchSize = 64

    /// Calls `body` with a batch, how many there are, and what loads each of them; the last has images of the one before where they
    /// do not come out even.
    func inBatches(
        of shape: Shape, _ compute: Compute, _ body: (_ batch: Batch, _ batches: Int, _ load: (Int) -> Void) throws -> Void
    ) throws {
        let batch = try Batch(samples: min(count, Self.batchSize), shape: shape)
        try body(batch, (count + batch.samples - 1) / batch.samples) { index in
            let first = min(index * batch.samples, count - batch.samples)
            batch.load(rows: rows + first * batch.elements, compute)
        }
    }

    func prefix(_ most: Int) -> CalibrationImages { CalibrationImages(rows: rows, count: min(count, most)) }

    /// [count, input], as a network sees them behind the units of its inputs.
    func standardised(by units: InputUnits, _ shape: Shape, _ compute: Compute) throws -> Tensor {
        let result = try Tensor([count, shape.count])
        var row = 0
        try run(Network(scaling: shape, units, .standardising), watching: [0], compute) { batches in
            batches[0].store(rows: result.pointer + row * shape.count, compute)
            row += batches[0].samples
        }
        return result
    }

    /// Calls `body` with what the nodes give for each batch, in their order; `Network.input` is one too.
    func run(_ network: Network, watching nodes: [Int], _ compute: Compute, _ body: ([Batch]) throws -> Void) throws {
        let watched = nodes.filter { $0 != Network.input }
        var pass: Pass?
        for start in stride(from: 0, to: count, by: Self.batchSize) {
            let samples = min(Self.batchSize, count - start)
            if pass?.input.samples != samples {
                pass = nil  // before the next one takes its memory
                pass = try Pass(network, input: Batch(samples: samples, shape: network.inputShape), watching: watched, compute)
            }
            guard let pass else { continue }
            pass.input.load(rows: rows + start * network.inputShape.count, compute)
            pass.forward()
            var seen = pass.watched.makeIterator()
            try body(nodes.map { $0 == Network.input ? pass.input : seen.next() ?? pass.output })
        }
    }
}

extension Batch {
    /// Calls `body` with each sample's number at each place of the shape, place by place.
    func forEach(_ body: (_ element: Int, _ number: Float) -> Void) {
        for block in 0..<blocks {
            let lanes = min(Batch.lanes, samples - block * Batch.lanes)
            for element in 0..<elements {
                let numbers = pointer + (block * elements + element) * Batch.lanes
                for lane in 0..<lanes { body(element, numbers[lane]) }
            }
        }
    }
}
