import Formats
import Glibc
import Numerics
import TestSupport
import Testing

/// Floating-point numbers of 16 and 64 bits become float32.
@Suite struct NumberTypeTests {
    private let folder = TemporaryFolder()

    /// What becomes of the bits of numbers of a type.
    private func read<Bits: FixedWidthInteger>(_ type: String, _ numbers: [Bits]) throws -> [Float] {
        let data = numbers.flatMap { littleEndian($0) }
        let header = "{\"a\":{\"dtype\":\"\(type)\",\"shape\":[\(numbers.count)],\"data_offsets\":[0,\(data.count)]}}"
        folder.write(fileBytes(header, data: data))
        let tensor = try SafetensorsFile(path: folder["bad"]).tensor(named: "a")
        return (0..<tensor.count).map { tensor[$0] }
    }

    /// All there are, by the definition: sign, five bits of exponent, ten of mantissa.
    @Test func everyHalf() throws {
        let bits = (0...UInt16.max).map { $0 }
        for (bits, value) in zip(bits, try read("F16", bits)) {
            let (exponent, mantissa) = (Int(bits >> 10 & 31), Double(bits & 1023))
            let magnitude: Double = switch exponent {
            case 0: mantissa * 0x1p-24
            case 31: mantissa == 0 ? .infinity : .nan
            default: (1024 + mantissa) * pow(2, Double(exponent - 25))
            }
            let expected = bits >> 15 == 1 ? -magnitude : magnitude
            #expect(Double(value) == expected && value.sign == (bits >> 15 == 1 ? .minus : .plus) || expected.isNaN && value.isNaN)
        }
    }

    /// The upper half of a float32.
    @Test func everyBrainFloat() throws {
        let bits = (0...UInt16.max).map { $0 }
        for (bits, value) in zip(bits, try read("BF16", bits)) {
            let expected = Float(bitPattern: UInt32(bits) << 16)
            #expect(value.bitPattern == expected.bitPattern || expected.isNaN && value.isNaN)
        }
    }

    /// More of them than are converted at a time, and rounded to the nearest, to even where two are.
    @Test func doubles() throws {
        var random = Philox(seed: 1, stream: .check)
        let special: [(Double, Float)] = [
            (0.1, 0.1), (-0.0, -0.0), (1 + 0x1p-24, 1), (1 + 0x3p-24, 1 + 0x1p-22), (1 + 0x1p-24 + 0x1p-52, 1 + 0x1p-23),
            (0x1p-149, 0x1p-149), (0x1p-150, 0), (0x1.8p-150, 0x1p-149), (.leastNonzeroMagnitude, 0), (3.4028235677973362e38, .greatestFiniteMagnitude),
            (3.4028235677973366e38, .infinity), (-1e300, -.infinity), (.infinity, .infinity), (-.infinity, -.infinity),
        ]
        let exact = (0..<100_000).map { _ in random.nextNormal() }
        let values = try read("F64", special.map(\.0.bitPattern) + exact.map { Double($0).bitPattern })
        for (value, expected) in zip(values, special.map(\.1) + exact) { #expect(value.bitPattern == expected.bitPattern) }
    }

    /// A host may have invalid operations trap, and a signalling NaN be in a file.
    @Test func notANumberStaysOneAndRaisesNothing() throws {
        feclearexcept(FE_INVALID)
        let (signalling, quiet) = (UInt64(0x7FF0_0000_0000_0001), UInt64(0xFFF8_0000_0000_0000))
        var values = try read("F64", [signalling, quiet, signalling | 1 << 63])
        values += try read("F16", [UInt16(0x7C01), 0xFE00])
        values += try read("BF16", [UInt16(0x7F81), 0xFFC0])
        #expect(fetestexcept(FE_INVALID) == 0)
        #expect(values.count == 7 && values.allSatisfy { $0.isNaN })
    }
}
