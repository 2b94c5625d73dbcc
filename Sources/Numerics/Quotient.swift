/// a / b, by itself. Of several side by side, compilers make one of vectors, and what is left in lanes that nobody uses may be zero
/// by zero: a host that traps floating-point exceptions would be ended by it.
@inline(never)
package func quotient(_ a: Float, _ b: Float) -> Float { a / b }
