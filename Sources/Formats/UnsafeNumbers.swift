import Numerics

/// Numbers of a file as float32.
extension NumberType {
    /// Converts bytes of whole numbers of a `readable` type. F16 and BF16 keep their values; F64 is rounded to the nearest, which
    /// beyond float32's range is infinite.
    func convert(_ bytes: UnsafeRawBufferPointer, to floats: UnsafeMutablePointer<Float>) {
        switch self {
        case .f32: each(bytes, to: floats) { (bits: UInt32) in Float(bitPattern: bits) }
        case .f16: each(bytes, to: floats) { (bits: UInt16) in Self.float(half: bits) }
        case .bf16: each(bytes, to: floats) { (bits: UInt16) in Float(bitPattern: UInt32(bits) << 16) }
        case .f64: each(bytes, to: floats) { (bits: UInt64) in Self.float(double: bits) }
        default: preconditionFailure("\(rawValue) is not read")
        }
    }

    private func each<Bits: FixedWidthInteger & UnsignedInteger & BitwiseCopyable>(
        _ bytes: UnsafeRawBufferPointer, to floats: UnsafeMutablePointer<Float>, _ float: (Bits) -> Float
    ) {
        for i in 0..<bytes.count / MemoryLayout<Bits>.size {
            floats[i] = float(bytes.loadUnaligned(fromByteOffset: i * MemoryLayout<Bits>.size, as: Bits.self))
        }
    }

    // To convert a signalling NaN is an invalid operation, which a host may have made a trap. Hence the bits.

    static func float(half bits: UInt16) -> Float {
        let (sign, magnitude) = (UInt32(bits & 0x8000) << 16, UInt32(bits & 0x7FFF))
        switch magnitude {
        case ..<0x400: return Float(sign: sign == 0 ? .plus : .minus, exponent: -24, significand: Float(magnitude))
        case ..<0x7C00: return Float(bitPattern: sign | (magnitude << 13 + (127 - 15) << 23))
        default: return Float(bitPattern: sign | Float.infinity.bitPattern | magnitude << 13)
        }
    }

    private static func float(double bits: UInt64) -> Float {
        let isNaN = bits & ~(1 << 63) > Double.infinity.bitPattern
        return isNaN ? .nan : Float(Double(bitPattern: bits))
    }
}
