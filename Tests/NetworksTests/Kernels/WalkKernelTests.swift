import LaneKernels
import Networks
import Numerics
import Testing

@Suite struct WalkKernelTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let sizes, a, b: [Int]
        /// Elements of a sample in either array, and where the walk starts there.
        let aElements, bElements: Int
        var aStart = 0, bStart = 0
    }

    static let copies = [
        Case(testDescription: "all", sizes: [3, 5], a: [5, 1], b: [5, 1], aElements: 15, bElements: 15),
        Case(
            testDescription: "part of a concatenation", sizes: [7], a: [1], b: [1], aElements: 7, bElements: 12,
            bStart: 3),
        Case(
            testDescription: "crop", sizes: [2, 3, 2], a: [20, 4, 1], b: [6, 2, 1], aElements: 40, bElements: 12,
            aStart: 5),
        Case(
            testDescription: "pad", sizes: [2, 3, 2], a: [6, 2, 1], b: [20, 4, 1], aElements: 12, bElements: 40,
            bStart: 5),
        Case(testDescription: "transpose", sizes: [5, 3], a: [1, 5], b: [3, 1], aElements: 15, bElements: 15),
        Case(
            testDescription: "reversal", sizes: [2, 4], a: [4, -1], b: [4, 1], aElements: 8, bElements: 8, aStart: 3),
        Case(
            testDescription: "every other row", sizes: [2, 3, 5], a: [30, 10, 1], b: [15, 5, 1], aElements: 60,
            bElements: 30),
        Case(
            testDescription: "nearest upsampling", sizes: [6, 2, 4, 3], a: [4, 0, 1, 0], b: [24, 12, 3, 1],
            aElements: 24, bElements: 144),
        Case(
            testDescription: "depth to space", sizes: [3, 4, 2, 5, 2], a: [20, 5, 120, 1, 60], b: [80, 20, 10, 2, 1],
            aElements: 240, bElements: 240),
        Case(testDescription: "one number", sizes: [], a: [], b: [], aElements: 1, bElements: 1),
        Case(testDescription: "the same for all blocks", sizes: [6], a: [1], b: [1], aElements: 0, bElements: 6),
    ]

    @Test(arguments: copies, [1, 16, 40]) func copiesAndSumsGoAlongStrides(_ c: Case, samples: Int) throws {
        var random = Philox(seed: 1, stream: .check)
        let blocks = Batch.blocks(of: samples)
        // A parameter that all blocks read is as long as one block.
        let (fromSamples, fromElements) = c.aElements == 0 ? (16, c.bElements) : (samples, c.aElements)
        let from = Rows(samples: fromSamples, [fromElements], from: &random)
        let to = Rows(samples: samples, [c.bElements], from: &random)
        var (copied, summed) = (to, to)
        for n in 0..<samples {
            forEachPlace(c) { a, b in
                let value = from.values[(c.aElements == 0 ? n % 16 : n) * from.elements + a]
                copied.values[n * c.bElements + b] = value
                summed.values[n * c.bElements + b] = to.values[n * c.bElements + b] + value
            }
        }
        var walk = lane_walk(
            blocks: blocks, sizes: c.sizes, a: c.a, aElements: c.aElements, b: c.b, bElements: c.bElements)
        for kernels in kernelSets {
            let (fromLanes, copiedLanes, summedLanes) = (try from.batch(), try to.batch(), try to.batch())
            for (first, end) in [(part(of: blocks), blocks), (0, part(of: blocks))] {
                let start = fromLanes.pointer + 16 * c.aStart
                kernels.copy(&walk, start, copiedLanes.pointer + 16 * c.bStart, first, end)
                kernels.accumulate(&walk, start, summedLanes.pointer + 16 * c.bStart, first, end)
            }
            #expect(Rows(copiedLanes).values == copied.values, "\(kernels.title): copy")
            expectClose(summedLanes, summed, within: 1e-6, "\(kernels.title): sum")
        }
    }

    private func forEachPlace(_ c: Case, _ body: (Int, Int) -> Void) {
        func walk(_ d: Int, _ a: Int, _ b: Int) {
            guard d < c.sizes.count else { return body(a, b) }
            for i in 0..<c.sizes[d] { walk(d + 1, a + i * c.a[d], b + i * c.b[d]) }
        }
        walk(0, c.aStart, c.bStart)
    }

    /// Shapes of a and b, broadcast as in NumPy.
    static let broadcasts: [([Int], [Int])] = [
        ([3, 4, 5], [3, 4, 5]), ([3, 4, 5], [3, 1, 1]), ([3, 1, 1], [3, 4, 5]), ([3, 4, 5], [1, 4, 5]),
        ([3, 4, 5], [1, 1, 5]), ([3, 4, 1], [3, 1, 5]), ([1], [7]), ([2, 1, 3, 1, 2], [1, 3, 1, 2, 2]),
        ([3, 4, 5], [1, 1, 1]), ([6], [6]),
    ]

    static let operations: [(String, lane_operation, @Sendable (Double, Double) -> Double)] = [
        ("add", LANE_ADD, { $0 + $1 }), ("subtract", LANE_SUBTRACT, { $0 - $1 }),
        ("multiply", LANE_MULTIPLY, { $0 * $1 }), ("divide", LANE_DIVIDE, { $0 / $1 }),
        ("maximum", LANE_MAXIMUM, { max($0, $1) }), ("minimum", LANE_MINIMUM, { min($0, $1) }),
    ]

    @Test(arguments: broadcasts) func arithmeticBroadcastsAndItsGradientsSum(_ aShape: [Int], _ bShape: [Int]) throws {
        var random = Philox(seed: 1, stream: .check)
        let samples = 18
        let a = Rows(samples: samples, aShape, from: &random)
        // Not close to zero, to divide by.
        let b = Rows(samples: samples, bShape, from: &random).map { Double(Float($0 + ($0 < 0 ? -1 : 1))) }
        let sizes = zip(aShape, bShape).map { max($0, $1) }
        let dy = Rows(samples: samples, sizes, from: &random)
        let aStrides = broadcastStrides(aShape), bStrides = broadcastStrides(bShape)
        let places = places(sizes, aStrides, bStrides)
        for (name, operation, function) in Self.operations {
            func result(_ a: Rows, _ b: Rows) -> Rows {
                var y = dy
                for n in 0..<a.samples {
                    for (i, place) in places.enumerated() {
                        y.values[n * y.elements + i] = function(
                            a.values[n * a.elements + place.a], b.values[n * b.elements + place.b])
                    }
                }
                return y
            }
            // The samples do not mix: the differences of the last will do.
            func lastOf(_ rows: Rows) -> Rows { rows[samples - 1] }
            func one(_ a: Rows, _ b: Rows) -> Rows {
                Rows(
                    samples: 1, sizes,
                    places.map { function(a.values[$0.a], b.values[$0.b]) })
            }
            let da = finiteDifferences(at: lastOf(a), towards: lastOf(dy)) { one($0, lastOf(b)) }
            let db = finiteDifferences(at: lastOf(b), towards: lastOf(dy)) { one(lastOf(a), $0) }
            var walk = lane_walk(
                blocks: 2, sizes: sizes, a: aStrides, aElements: a.elements, b: bStrides, bElements: b.elements)
            for kernels in kernelSets {
                let (aLanes, bLanes, dyLanes) = (try a.batch(), try b.batch(), try dy.batch())
                let (y, daLanes, dbLanes) = (try dy.batch(), try a.batch(), try b.batch())
                for batch in [y, daLanes, dbLanes] { batch.fill(.nan) }
                for (first, end) in [(1, 2), (0, 1)] {
                    kernels.combine(operation, &walk, aLanes.pointer, bLanes.pointer, y.pointer, first, end)
                    kernels.combine_gradient_a(
                        operation, &walk, aLanes.pointer, bLanes.pointer, dyLanes.pointer, daLanes.pointer, first, end)
                    kernels.combine_gradient_b(
                        operation, &walk, aLanes.pointer, bLanes.pointer, dyLanes.pointer, dbLanes.pointer, first, end)
                }
                expectClose(y, result(a, b), within: 1e-6, "\(kernels.title): \(name)")
                expectClose(Rows(daLanes)[samples - 1].values, da.values, "\(kernels.title): \(name) by a")
                expectClose(Rows(dbLanes)[samples - 1].values, db.values, "\(kernels.title): \(name) by b")
                // Where both are 0, as in the lanes that no sample fills.
                #expect(daLanes.unusedLanes.allSatisfy { $0 == 0 } && dbLanes.unusedLanes.allSatisfy { $0 == 0 })
            }
        }
    }

    @Test func equalsShareAMaximumsGradientAndNaNWins() throws {
        let (a, b, y) = (try Tensor([16]), try Tensor([16]), try Tensor([16]))
        let (dy, da, db) = (try Tensor([16]), try Tensor([16]), try Tensor([16]))
        a.fill(2)
        b.fill(2)
        (a[1], b[2]) = (.nan, .nan)
        dy.fill(3)
        var walk = lane_walk(blocks: 1, sizes: [1], a: [1], aElements: 1, b: [1], bElements: 1)
        for kernels in kernelSets {
            for operation in [LANE_MAXIMUM, LANE_MINIMUM] {
                kernels.combine(operation, &walk, a.pointer, b.pointer, y.pointer, 0, 1)
                kernels.combine_gradient_a(operation, &walk, a.pointer, b.pointer, dy.pointer, da.pointer, 0, 1)
                kernels.combine_gradient_b(operation, &walk, a.pointer, b.pointer, dy.pointer, db.pointer, 0, 1)
                #expect(y[0] == 2 && y[1].isNaN && y[2].isNaN && da[0] == 1.5 && db[0] == 1.5, "\(kernels.title)")
            }
        }
    }

    /// Dimensions, and which of them go.
    static let reductions: [([Int], [Bool])] = [
        ([3, 4, 5], [false, true, true]), ([3, 4, 5], [true, false, false]), ([3, 4, 5], [false, true, false]),
        ([3, 4, 5], [true, false, true]), ([3, 4, 5], [true, true, true]), ([3, 4, 5], [false, false, false]),
        ([2, 3, 2, 1, 3], [true, false, true, false, true]), ([1], [true]), ([700], [true]),
    ]

    @Test(arguments: reductions) func reductionsGoOverTheDimensionsWhereTheResultStandsStill(
        _ sizes: [Int], _ reduced: [Bool]
    ) throws {
        var random = Philox(seed: 1, stream: .check)
        let samples = 18
        // Whole numbers, so that many are the largest at once.
        let x = Rows(samples: samples, sizes, from: &random).map { $0.rounded() }
        let kept = zip(sizes, reduced).map { $1 ? 1 : $0 }
        let keptStrides = broadcastStrides(kept)
        let (aStrides, bStrides) = (
            strides(of: sizes), zip(keptStrides, reduced).map { $1 ? 0 : $0 }
        )
        let dy = Rows(samples: samples, kept, from: &random)
        var (sum, largest, dx) = (dy.map { _ in 0 }, dy.map { _ in -.infinity }, x.map { _ in 0 })
        var winners = [Int](repeating: 0, count: largest.values.count)
        for n in 0..<samples {
            for place in places(sizes, aStrides, bStrides) {
                let (from, to) = (n * x.elements + place.a, n * dy.elements + place.b)
                sum.values[to] += x.values[from]
                if x.values[from] > largest.values[to] { (largest.values[to], winners[to]) = (x.values[from], from) }
            }
        }
        for (i, winner) in winners.enumerated() { dx.values[winner] = dy.values[i] }
        var walk = lane_walk(
            blocks: 2, sizes: sizes, a: aStrides, aElements: x.elements, b: bStrides, bElements: dy.elements)
        for kernels in kernelSets {
            let (xLanes, dyLanes, dxLanes) = (try x.batch(), try dy.batch(), try x.batch())
            let (sums, maxima) = (try dy.batch(), try dy.batch())
            for batch in [dxLanes, sums, maxima] { batch.fill(.nan) }
            for (first, end) in [(1, 2), (0, 1)] {
                kernels.reduce_sum(&walk, 0.25, xLanes.pointer, sums.pointer, first, end)
                kernels.reduce_max(&walk, xLanes.pointer, maxima.pointer, first, end)
                kernels.reduce_max_gradient(
                    &walk, xLanes.pointer, maxima.pointer, dyLanes.pointer, dxLanes.pointer, first, end)
            }
            expectClose(sums, sum.map { $0 / 4 }, within: 1e-6, "\(kernels.title): sum")
            #expect(Rows(maxima).values == largest.values, "\(kernels.title): maximum")
            #expect(Rows(dxLanes).values == dx.values, "\(kernels.title): gradient of the maximum")
            #expect(dxLanes.unusedLanes.allSatisfy { $0 == 0 })
        }
    }

    @Test(arguments: 0..<3) func aMaximumKeepsNaN(place: Int) throws {
        let x = try Rows(samples: 1, [3], [1, 3, 2]).batch()
        let y = try Batch(samples: 1, shape: Shape([1]))
        x[0, place] = .nan
        var walk = lane_walk(blocks: 1, sizes: [3], a: [1], aElements: 3, b: [0], bElements: 1)
        for kernels in kernelSets {
            kernels.reduce_max(&walk, x.pointer, y.pointer, 0, 1)
            #expect(y[0, 0].isNaN, "\(kernels.title)")
        }
    }

    private func broadcastStrides(_ shape: [Int]) -> [Int] {
        zip(shape, strides(of: shape)).map { $0 == 1 ? 0 : $1 }
    }

    private func places(_ sizes: [Int], _ a: [Int], _ b: [Int]) -> [(a: Int, b: Int)] {
        var places = [(a: 0, b: 0)]
        for d in sizes.indices {
            places = places.flatMap { place in (0..<sizes[d]).map { (place.a + $0 * a[d], place.b + $0 * b[d]) } }
        }
        return places
    }
}
