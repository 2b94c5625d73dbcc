/// The slope of a function along each number, by central differences: the function is to be computed in Double.
func finiteDifferences(at point: [Double], _ function: ([Double]) -> Double) -> [Double] {
    let h = 1e-5
    return point.indices.map { i in
        var (above, below) = (point, point)
        above[i] += h
        below[i] -= h
        return (function(above) - function(below)) / (2 * h)
    }
}

/// The slope of <direction, function(x)> along each number of x.
func finiteDifferences(at x: Rows, towards direction: Rows, _ function: (Rows) -> Rows) -> Rows {
    Rows(
        samples: x.samples, x.dimensions,
        finiteDifferences(at: x.values) { dot(function(Rows(samples: x.samples, x.dimensions, $0)), direction) })
}
