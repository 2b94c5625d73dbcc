import Networks
import Numerics
import Testing

@Suite struct ResamplingTests {
    static let modes: [[String: Attribute]] = ["nearest", "bilinear"].flatMap { mode in
        ["half_pixel", "corners", "asymmetric"].map { ["mode": .text(mode), "alignment": .text($0)] }
    }

    @Test(arguments: modes) func forwardIsTheDefinitionAndBackwardItsSlope(_ mode: [String: Attribute]) throws {
        let sizes: [([Int], [String: Attribute], [Int])] = [
            ([2, 3, 4], ["size": [7, 6]], [7, 6]), ([3, 5, 2], ["size": [2, 5]], [2, 5]),
            ([2, 3, 2], ["factor": [2, 3]], [6, 6]), ([1, 4, 4], [:], [8, 8]), ([2, 1, 3], ["size": 1], [1, 1]),
        ]
        for (input, attributes, size) in sizes {
            try checkGradients(
                .sole(.upsample, input, attributes.merging(mode) { $1 }) { x, _ in
                    Self.resampled(x, size[0], size[1], mode)
                })
        }
    }

    /// The place that an output pixel has among the input's.
    private static func place(_ i: Int, _ size: Int, of input: Int, _ alignment: Attribute?) -> Double {
        switch alignment {
        case "corners": size == 1 ? 0 : Double(i) * Double(input - 1) / Double(size - 1)
        case "asymmetric": Double(i * input) / Double(size)
        default: max((Double(i) + 0.5) * Double(input) / Double(size) - 0.5, 0)
        }
    }

    private static func resampled(_ x: Rows, _ height: Int, _ width: Int, _ mode: [String: Attribute]) -> Rows {
        var y = Rows(samples: x.samples, [x.channels, height, width])
        let alignment = mode["alignment"]
        func pixel(_ place: Double, _ size: Int) -> Int {
            min(Int(alignment == "asymmetric" ? place : place + 0.5), size - 1)
        }
        Reference.eachPixel(y) { n, c, i, j in
            let (row, column) = (
                place(i, height, of: x.height, alignment), place(j, width, of: x.width, alignment)
            )
            guard mode["mode"] == "bilinear" else {
                y[n, c, i, j] = x[n, c, pixel(row, x.height), pixel(column, x.width)]
                return
            }
            // Each pixel counts for as much as it is near, and the last one for what is beyond it.
            for u in 0..<x.height {
                for v in 0..<x.width {
                    let vertical = max(1 - abs(min(row, Double(x.height - 1)) - Double(u)), 0)
                    let horizontal = max(1 - abs(min(column, Double(x.width - 1)) - Double(v)), 0)
                    y[n, c, i, j] += vertical * horizontal * x[n, c, u, v]
                }
            }
        }
        return y
    }

    /// PyTorch 2.13.
    @Test func numbersArePyTorchs() throws {
        func resampled(_ size: [Int], _ mode: Attribute, _ alignment: Attribute) throws -> [Double] {
            try output(
                .upsample, [1, 2, 3], ["size": .integers(size), "mode": mode, "alignment": alignment],
                of: [1, 2, 4, -1, 0.5, 3])
        }
        expectClose(
            try resampled([3, 5], "bilinear", "half_pixel"),
            [1.0, 1.4, 2.0, 3.2, 4.0, 0.0, 0.5, 1.25, 2.6, 3.5, -1.0, -0.4, 0.5, 2.0, 3.0], within: 1e-6)
        expectClose(try resampled([1, 2], "bilinear", "half_pixel"), [0.3125, 2.9375], within: 1e-6)
        expectClose(
            try resampled([3, 5], "bilinear", "corners"),
            [1.0, 1.5, 2.0, 3.0, 4.0, 0.0, 0.625, 1.25, 2.375, 3.5, -1.0, -0.25, 0.5, 1.75, 3.0], within: 1e-6)
        #expect(try resampled([1, 2], "bilinear", "corners") == [1, 4])
        // "nearest" and "nearest-exact".
        #expect(
            try resampled([3, 5], "nearest", "asymmetric")
                == [1.0, 1.0, 2.0, 2.0, 4.0, 1.0, 1.0, 2.0, 2.0, 4.0, -1.0, -1.0, 0.5, 0.5, 3.0])
        #expect(
            try resampled([3, 5], "nearest", "half_pixel")
                == [1.0, 1.0, 2.0, 4.0, 4.0, -1.0, -1.0, 0.5, 3.0, 3.0, -1.0, -1.0, 0.5, 3.0, 3.0])
        #expect(try resampled([1, 2], "nearest", "half_pixel") == [-1, 3])
    }

    @Test(arguments: [
        ["factor": 0], ["size": [0, 1]], ["size": 3, "factor": 2], ["mode": "cubic"], ["alignment": "left"],
    ] as [[String: Attribute]])
    func whatIsNotAllowedIsRefused(attributes: [String: Attribute]) {
        #expect(throws: DaflError.self) { try Network([2, 3, 3]) { $0.add(.upsample, attributes) } }
    }
}
