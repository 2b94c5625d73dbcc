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
            try write(plan(), to: file)
            try file.commit()
        }
    }

    /// The same to memory, where there is room; returns how many bytes it takes.
    package func save(to memory: UnsafeMutableRawBufferPointer) throws -> Int {
        let plan = try plan()
        if plan.size <= memory.count { try write(plan, to: MemorySink(borrowing: memory)) }
        return plan.size
    }

    /// What comes before the state, and the size of all.
    private func plan() throws -> (start: [UInt8], size: Int) {
        let listing = StateListing()
        persist(Archive(listing))
        let tensors = listing.tensors + [(Self.checksumName, .u8, [MemoryLayout<UInt64>.size])]
        let start = try SafetensorsFile.start(
            metadata: RunDescription(teacher, options, student: shown, checksums: checksums), tensors: tensors)
        return (start, tensors.reduce(start.count) { $0 + $1.dimensions.reduce($1.type.bytes, *) })
    }

    private func write(_ plan: (start: [UInt8], size: Int), to sink: any ByteSink) throws {
        let writer = StateWriter(sink)
        try plan.start.withUnsafeBytes { try writer.write($0) }
        let archive = Archive(writer)
        persist(archive)
        try archive.check()
        try writer.writeChecksum()
    }
}
