import Glibc

/// Numbers that stand for no number: the size of a batch, which a network leaves open, and what was computed of it.
extension ONNXTensor {
    static let batch = Int.min + 0x6261_7463
    static let unknown = Int.min + 0x756E_6B6E

    static func isSymbol(_ integer: Int) -> Bool { integer == batch || integer == unknown }

    static let comparisons: Set = ["Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual", "And", "Or"]

    /// nil for a division by 0. Sums wrap, as they do in C.
    static func combine(_ name: String, _ x: Int, _ y: Int) -> Int? {
        guard !isSymbol(x), !isSymbol(y) else { return combineSymbols(name, x, y) }
        switch name {
        case "Add": return x &+ y
        case "Sub": return x &- y
        case "Mul": return x &* y
        case "Div": return y == 0 ? nil : x.dividedReportingOverflow(by: y).partialValue
        case "Mod":
            guard y != 0 else { return nil }
            let rest = x.remainderReportingOverflow(dividingBy: y).partialValue
            return rest != 0 && (rest < 0) != (y < 0) ? rest + y : rest  // of the divisor's sign
        case "Pow": return whole(powf(Float(x), Float(y)))
        case "Min": return min(x, y)
        case "Max": return max(x, y)
        case "Equal": return x == y ? 1 : 0
        case "Greater": return x > y ? 1 : 0
        case "Less": return x < y ? 1 : 0
        case "GreaterOrEqual": return x >= y ? 1 : 0
        case "LessOrEqual": return x <= y ? 1 : 0
        case "And": return x != 0 && y != 0 ? 1 : 0
        case "Or": return x != 0 || y != 0 ? 1 : 0
        default: return unknown
        }
    }

    private static func combineSymbols(_ name: String, _ x: Int, _ y: Int) -> Int? {
        switch (name, x, y) {
        case ("Mul", batch, 1), ("Mul", 1, batch), ("Div", batch, 1), ("Add", batch, 0), ("Add", 0, batch),
            ("Sub", batch, 0):
            return batch
        case ("Mul", 0, _), ("Mul", _, 0): return 0
        case ("Equal", batch, _), ("Equal", _, batch): return x == y ? 1 : 0
        default: return unknown
        }
    }

    static func compare(_ name: String, _ x: Float, _ y: Float) -> Bool {
        switch name {
        case "Equal": x == y
        case "Greater": x > y
        case "Less": x < y
        case "GreaterOrEqual": x >= y
        case "LessOrEqual": x <= y
        case "And": x != 0 && y != 0
        default: x != 0 || y != 0
        }
    }

    static func combine(_ name: String, _ x: Float, _ y: Float) -> Float {
        switch name {
        case "Add": x + y
        case "Sub": x - y
        case "Mul": x * y
        case "Div": x / y
        case "Mod": fmodf(x, y)
        case "Pow": powf(x, y)
        case "Min": min(x, y)
        case "Max": max(x, y)
        default: .nan
        }
    }

    static func map(_ name: String, _ x: Float) -> Float {
        switch name {
        case "Neg": -x
        case "Abs": abs(x)
        case "Floor": x.rounded(.down)
        case "Ceil": x.rounded(.up)
        case "Round": x.rounded(.toNearestOrEven)
        case "Sqrt": x.squareRoot()
        case "Reciprocal": 1 / x
        case "Exp": expf(x)
        case "Log": logf(x)
        default: .nan
        }
    }

    /// Cut to a whole number, and to Int's range.
    static func whole(_ float: Float) -> Int {
        guard !float.isNaN else { return unknown }
        return Int(exactly: float.rounded(.towardZero)) ?? (float < 0 ? -(1 << 62) : 1 << 62)
    }
}
