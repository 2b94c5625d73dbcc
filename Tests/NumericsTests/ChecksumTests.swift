import Testing

@testable import Numerics

struct ChecksumTests {
    private func checksum(_ bytes: [UInt8], pieces: Int) -> UInt64 {
        var checksum = Checksum()
        for start in stride(from: 0, to: bytes.count, by: pieces) {
            bytes[start..<min(start + pieces, bytes.count)].withUnsafeBytes { checksum.add($0) }
        }
        return checksum.value
    }

    /// The algorithm's published examples.
    @Test(arguments: [
        ("", 0xEF46_DB37_51D8_E999), ("a", 0xD24E_C4F1_A98C_6E5B), ("abc", 0x44BC_2CF5_AD77_0999),
        ("Nobody inspects the spammish repetition", 0xFBCE_A83C_8A37_8BF1),
    ] as [(String, UInt64)])
    func examplesHaveTheirChecksums(text: String, expected: UInt64) {
        #expect(checksum(Array(text.utf8), pieces: 1000) == expected)
    }

    @Test func piecesMakeNoDifference() {
        let bytes = (0..<1000).map { UInt8($0 * 37 % 251) }
        let whole = checksum(bytes, pieces: 1000)
        for pieces in [1, 3, 31, 32, 33, 64, 100] { #expect(checksum(bytes, pieces: pieces) == whole) }
        #expect(checksum(bytes.dropLast() + [0], pieces: 1000) != whole)
    }
}
