func littleEndian<Bits: FixedWidthInteger>(_ bits: Bits) -> [UInt8] {
    (0..<MemoryLayout<Bits>.size).map { UInt8(truncatingIfNeeded: bits >> (8 * $0)) }
}

/// A safetensors file with any header.
func fileBytes(_ header: String, data: [UInt8] = [], announcing length: UInt64? = nil) -> [UInt8] {
    let text = Array(header.utf8)
    let length = length ?? UInt64(text.count)
    return (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) } + text + data
}
