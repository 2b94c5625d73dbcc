/// A row-major float32 array that owns its memory: a network's weights, or images and logits in rows.
package final class Tensor {
    package let shape: Shape
    private let memory: UnsafeFloatMemory
    /// Rises when numbers are written with `fill`, `load` or by someone who says so with `touch`.
    package private(set) var version = 0

    /// All zeros.
    package init(_ shape: Shape) throws {
        self.shape = shape
        memory = try UnsafeFloatMemory(count: shape.count)
    }

    package convenience init(_ dimensions: [Int]) throws {
        try self.init(Shape(dimensions))
    }

    package var count: Int { shape.count }
    /// Valid as long as the tensor.
    package var pointer: UnsafeMutablePointer<Float> { memory.start }

    package subscript(i: Int) -> Float {
        get { pointer[i] }
        set { pointer[i] = newValue }
    }

    /// Says that numbers were written one by one or through `pointer`, which nobody counts: needed of weights, of which
    /// others keep what they made of them.
    package func touch() { version &+= 1 }

    package func fill(_ value: Float) {
        touch()
        pointer.update(repeating: value, count: count)
    }

    /// Copies `count` floats from row-major memory.
    package func load(_ source: UnsafePointer<Float>) {
        touch()
        pointer.update(from: source, count: count)
    }

    package func load(_ other: Tensor) {
        precondition(other.count == count)
        load(other.pointer)
    }

    package var isFinite: Bool { memory.isFinite }
}
