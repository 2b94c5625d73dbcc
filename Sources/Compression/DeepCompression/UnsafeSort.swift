import Numerics

extension Tensor {
    /// Sorts the first numbers in place.
    func sort(first count: Int) {
        var numbers = UnsafeMutableBufferPointer(start: pointer, count: count)
        numbers.sort()
        touch()
    }
}
