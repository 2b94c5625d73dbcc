/// The state of something in memory, to be brought back when a step fails: a step that fails is as if it had never begun.
package final class Snapshot {
    private let walk: (Archive) -> Void
    private let store: Store

    /// - Parameter walk: hands the state to an archive, always the same values.
    /// - Throws: `outOfMemory`.
    package init(of walk: @escaping (Archive) -> Void) throws {
        self.walk = walk
        let measuring = Measuring()
        walk(Archive(measuring))
        store = try Store(size: measuring.size)
    }

    /// Keeps the state as it is now.
    package func take() { use(isRestoring: false) }

    /// Brings back what was kept.
    package func bringBack() { use(isRestoring: true) }

    private func use(isRestoring: Bool) {
        (store.isRestoring, store.place) = (isRestoring, 0)
        let archive = Archive(store)
        walk(archive)
        assert(archive.failure == nil)
    }

    private final class Measuring: ArchiveStore {
        var isRestoring: Bool { false }
        var isLasting: Bool { false }
        private(set) var size = 0

        func exchange(_ name: String, _ type: NumberType, _ shape: [Int], _ bytes: UnsafeMutableRawBufferPointer) {
            size += bytes.count
        }
    }

    private final class Store: ArchiveStore {
        var isRestoring = false
        var isLasting: Bool { false }
        var place = 0
        private let memory: UnsafeMemory
        private let size: Int

        init(size: Int) throws {
            memory = try UnsafeMemory(UInt8.self, count: size, "bytes of a step's beginning")
            self.size = size
        }

        func exchange(_ name: String, _ type: NumberType, _ shape: [Int], _ bytes: UnsafeMutableRawBufferPointer) {
            precondition(place + bytes.count <= size)
            let kept = UnsafeMutableRawBufferPointer(start: memory.start + place, count: bytes.count)
            let (from, to) = isRestoring ? (kept, bytes) : (bytes, kept)
            to.copyMemory(from: UnsafeRawBufferPointer(from))
            place += bytes.count
        }
    }
}
