import COpenBLAS

/// c = a b, or with `a` or `b` transposed, for row-major float32 matrices without gaps; c is [rows, columns], overwritten.
/// `inner` is the dimension summed over. Called from one thread at a time: OpenBLAS has threads of its own.
package func matrixProduct(
    _ a: UnsafePointer<Float>, aTransposed: Bool = false,
    _ b: UnsafePointer<Float>, bTransposed: Bool = false,
    into c: UnsafeMutablePointer<Float>, rows: Int, inner: Int, columns: Int
) {
    cblas_sgemm(
        CblasRowMajor, aTransposed ? CblasTrans : CblasNoTrans, bTransposed ? CblasTrans : CblasNoTrans,
        Int32(rows), Int32(columns), Int32(inner), 1,
        a, Int32(aTransposed ? rows : inner), b, Int32(bTransposed ? inner : columns), 0, c, Int32(columns))
}
