import Numerics

/// Samples in rows, each of some dimensions, in Double: what the references compute on.
struct Rows {
    let samples: Int
    let dimensions: [Int]
    var values: [Double]

    init(samples: Int, _ dimensions: [Int], _ values: [Double]? = nil) {
        self.samples = samples
        self.dimensions = dimensions
        self.values = values ?? [Double](repeating: 0, count: samples * dimensions.reduce(1, *))
    }

    /// Standard normal numbers that float32 represents, so that both sides of a comparison start from the same.
    init(samples: Int, _ dimensions: [Int], from random: inout Philox) {
        self.init(samples: samples, dimensions)
        for i in values.indices { values[i] = Double(random.nextNormal()) }
    }

    init(_ batch: Batch) {
        self.init(samples: batch.samples, batch.shape.dimensions)
        for sample in 0..<samples {
            for element in 0..<elements { values[sample * elements + element] = Double(batch[sample, element]) }
        }
    }

    var elements: Int { dimensions.reduce(1, *) }
    var channels: Int { dimensions[0] }
    var height: Int { dimensions.count > 1 ? dimensions[1] : 1 }
    var width: Int { dimensions.count > 2 ? dimensions[2] : 1 }

    /// One pixel of one channel of one sample.
    subscript(sample: Int, channel: Int, row: Int, column: Int) -> Double {
        get { values[index(sample, channel, row, column)] }
        set { values[index(sample, channel, row, column)] = newValue }
    }

    func index(_ sample: Int, _ channel: Int, _ row: Int, _ column: Int) -> Int {
        ((sample * channels + channel) * height + row) * width + column
    }

    subscript(sample: Int) -> Rows {
        Rows(samples: 1, dimensions, Array(values[sample * elements..<(sample + 1) * elements]))
    }

    func map(_ transform: (Double) -> Double) -> Rows { Rows(samples: samples, dimensions, values.map(transform)) }

    func reshaped(_ dimensions: [Int]) -> Rows { Rows(samples: samples, dimensions, values) }

    static func + (a: Rows, b: Rows) -> Rows {
        Rows(samples: a.samples, a.dimensions, zip(a.values, b.values).map { $0 + $1 })
    }

    /// The same samples in lane order, with `unused` in the lanes past the last.
    func batch(unused: Float = 0) throws -> Batch {
        let batch = try Batch(samples: samples, shape: Shape(dimensions))
        batch.fill(unused)
        for sample in 0..<samples {
            for element in 0..<elements { batch[sample, element] = Float(values[sample * elements + element]) }
        }
        return batch
    }
}

/// The inner product of all numbers.
func dot(_ a: Rows, _ b: Rows) -> Double { zip(a.values, b.values).reduce(0) { $0 + $1.0 * $1.1 } }

extension Tensor {
    convenience init(_ values: [Double]) throws {
        try self.init([values.count])
        for (i, value) in values.enumerated() { self[i] = Float(value) }
    }

    var doubles: [Double] { (0..<count).map { Double(self[$0]) } }
}

extension Batch {
    /// What the lanes past the last sample hold.
    var unusedLanes: [Float] {
        (samples..<blocks * Batch.lanes).flatMap { sample in (0..<elements).map { self[sample, $0] } }
    }
}
