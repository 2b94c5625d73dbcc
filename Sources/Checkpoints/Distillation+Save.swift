import Distillation
import Formats
import Numerics

/// A checkpoint is a safetensors file: its tensors are the run's state, its metadata say which run it is, and its last eight bytes
/// are a checksum of all before. Any tool that reads safetensors can look into it.
extension Distillation {
    static let checksumName = "checksum"

    /// Writes the run's state: the file appears whole, in place of one that was there, or not at all. After a step, or within the
    /// callback of a run, but not within a step.
    /// - Throws: `io`, `invalidArgument` for a student that cannot be described.
    package func save(path: String) throws {
        try naming(path) {
            let file = try UnsafeFileReplacement(path: path)
            try write(to: file)
            try file.commit()
        }
    }

    /// The same to memory; returns how many bytes it takes, also where there is room for fewer.
    package func save(to memory: UnsafeMutableRawBufferPointer) throws -> Int {
        let sink = MemorySink(borrowing: memory)
        try write(to: sink)
        return sink.count
    }

    private func write(to sink: any ByteSink) throws {
        let listing = StateListing()
        persist(Archive(listing))
        let start = try SafetensorsFile.start(
            metadata: RunDescription(teacher, options, student: shown, checksums: checksums), tensors: listing.tensors + [(Self.checksumName, .u8, [8])])
        let writer = StateWriter(sink)
        try start.withUnsafeBytes { try writer.write($0) }
        let archive = Archive(writer)
        persist(archive)
        try archive.check()
        try writer.writeChecksum()
    }
}
