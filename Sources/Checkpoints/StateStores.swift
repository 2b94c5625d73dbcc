import Formats
import Numerics

/// Notes what there is to write.
final class StateListing: ArchiveStore {
    var isRestoring: Bool { false }
    var isLasting: Bool { true }
    private(set) var tensors: [(name: String, type: NumberType, dimensions: [Int])] = []

    func exchange(_ name: String, _ type: NumberType, _ shape: [Int], _ bytes: UnsafeMutableRawBufferPointer) {
        tensors.append((name, type, shape))
    }
}

/// Writes it, in the same order.
final class StateWriter: ArchiveStore {
    var isRestoring: Bool { false }
    var isLasting: Bool { true }
    private let sink: any ByteSink
    private var checksum = Checksum()

    init(_ sink: any ByteSink) { self.sink = sink }

    func write(_ bytes: UnsafeRawBufferPointer) throws {
        checksum.add(bytes)
        try sink.write(bytes)
    }

    func exchange(
        _ name: String, _ type: NumberType, _ shape: [Int], _ bytes: UnsafeMutableRawBufferPointer
    ) throws {
        try write(UnsafeRawBufferPointer(bytes))
    }

    /// What follows all else.
    func writeChecksum() throws {
        try withUnsafeBytes(of: checksum.value.littleEndian) { try sink.write($0) }
    }
}

/// Brings it back, by its names.
final class StateReader: ArchiveStore {
    var isRestoring: Bool { true }
    var isLasting: Bool { true }
    private let file: SafetensorsFile

    init(_ file: SafetensorsFile) { self.file = file }

    func exchange(
        _ name: String, _ type: NumberType, _ shape: [Int], _ bytes: UnsafeMutableRawBufferPointer
    ) throws {
        try file.read(name, type, shape, into: bytes)
    }
}
