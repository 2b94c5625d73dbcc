/// Something whose state a step changes.
package protocol Persistent {
    /// Hands all that a later step depends on to an archive, which takes it or brings it back: said once, so that what is saved is
    /// what is restored.
    func persist(_ archive: Archive)
}

/// The state of a run on its way out or in, value by value, each under a name.
///
/// Where one cannot be written or read, the first reason is kept, and all after it stay as they are.
package final class Archive {
    private let store: any ArchiveStore
    private var prefix = ""
    package private(set) var failure: (any Error)?

    package init(_ store: any ArchiveStore) { self.store = store }

    /// - Throws: the first reason why a value could not be written or read.
    package func check() throws { if let failure { throw failure } }

    /// Whether values are brought back.
    package var isRestoring: Bool { store.isRestoring }
    /// Whether they are to outlive the process. Else they take back one step, and what that step, done anew, writes over may be
    /// left out.
    package var isLasting: Bool { store.isLasting }

    /// A part, whose names follow its own and a dot.
    package func part(_ name: String, _ part: (any Persistent)?) {
        guard let part else { return }
        within(name) { part.persist(self) }
    }

    package func within<Result>(_ name: String, _ body: () throws -> Result) rethrows -> Result {
        let outer = prefix
        prefix = "\(outer)\(name)."
        defer { prefix = outer }
        return try body()
    }

    /// Numbers in memory that stays where it is.
    package func numbers<Number: ArchivedNumber>(_ name: String, _ shape: [Int], _ start: UnsafeMutablePointer<Number>) {
        guard failure == nil else { return }
        let bytes = UnsafeMutableRawBufferPointer(
            start: start, count: shape.reduce(1, *) * MemoryLayout<Number>.stride)
        do { try store.exchange(prefix + name, Number.type, shape, bytes) } catch { failure = error }
    }

    private func value<Number: ArchivedNumber & Comparable>(
        _ name: String, _ value: inout Number, in range: ClosedRange<Number>?, or isException: (Number) -> Bool
    ) {
        var brought = value
        withUnsafeMutablePointer(to: &brought) { numbers(name, [], $0) }
        guard failure == nil, isRestoring else { return }
        if let range, !range.contains(brought), !isException(brought) {
            failure = DaflError(
                .format, "\(prefix)\(name) is \(brought); it must be from \(range.lowerBound) to \(range.upperBound)")
            return
        }
        value = brought
    }

    package func tensor(_ name: String, _ tensor: Tensor) {
        numbers(name, tensor.shape.dimensions, tensor.pointer)
        if isRestoring { tensor.touch() }
    }

    /// Of the run, and never changed: what is brought must be the same.
    package func constant(_ name: String, _ tensor: Tensor) {
        guard isRestoring else { return self.tensor(name, tensor) }
        do {
            let brought = try Tensor(tensor.shape)
            self.tensor(name, brought)
            guard failure == nil, let i = (0..<tensor.count).first(where: { brought[$0] != tensor[$0] }) else { return }
            failure = DaflError.invalid("\(prefix)\(name)[\(i)]", tensor[i], "\(brought[i]), as when the run began")
        } catch { failure = failure ?? error }
    }

    /// - Parameter range: others are not brought back, as of `whole`.
    /// - Parameter count: so many, the first; nil for all.
    package func indices(_ name: String, _ indices: Indices, first count: Int? = nil, in range: Range<Int>) {
        let count = count ?? indices.count
        precondition(count <= indices.count)
        numbers(name, [count], indices.pointer)
        guard failure == nil, isRestoring else { return }
        for i in 0..<count where !range.contains(indices[i]) {
            failure = DaflError(.format, "\(prefix)\(name)[\(i)] is \(indices[i]); it must be from 0 to \(range.upperBound - 1)")
            return
        }
    }

    /// - Parameter range: others, but for NaN, are not brought back; nil for all that there are.
    package func real(_ name: String, _ number: inout Double, in range: ClosedRange<Double>? = nil) {
        value(name, &number, in: range) { $0.isNaN }
    }

    /// As many as there are.
    package func reals(_ name: String, _ values: inout [Double]) {
        values.withUnsafeMutableBufferPointer { values in
            if let start = values.baseAddress { numbers(name, [values.count], start) }
        }
    }

    /// More than any run counts to, and few enough to count on from there.
    package static let counts = 0...1 << 40

    /// - Parameter range: others are not brought back: an archive may be a file that a stranger made.
    package func whole(_ name: String, _ number: inout Int, in range: ClosedRange<Int>) {
        value(name, &number, in: range) { _ in false }
    }

    package func flag(_ name: String, _ flag: inout Bool) {
        var number = flag ? 1 : 0
        whole(name, &number, in: 0...1)
        flag = number == 1
    }

    /// Where a sequence of random numbers has come to. Which sequence it is, its owner knows.
    package func random(_ name: String, _ random: inout Philox) {
        var place = random.place
        withUnsafeMutablePointer(to: &place) {
            $0.withMemoryRebound(to: UInt64.self, capacity: 3) { numbers(name, [3], $0) }
        }
        if isRestoring { random.place = place }
    }
}

extension Archive? {
    /// Where there is one, within a part of it.
    package func within<Result>(_ name: String, _ body: () throws -> Result) rethrows -> Result {
        guard let self else { return try body() }
        return try self.within(name, body)
    }
}

/// Where an archive's values lie.
package protocol ArchiveStore: AnyObject {
    var isRestoring: Bool { get }
    var isLasting: Bool { get }
    /// Takes the bytes of numbers, or brings them back.
    func exchange(
        _ name: String, _ type: NumberType, _ shape: [Int], _ bytes: UnsafeMutableRawBufferPointer) throws
}

/// A number as archives know it.
package protocol ArchivedNumber { static var type: NumberType { get } }
extension Float: ArchivedNumber { package static var type: NumberType { .f32 } }
extension Double: ArchivedNumber { package static var type: NumberType { .f64 } }
extension Int: ArchivedNumber { package static var type: NumberType { .i64 } }
extension UInt64: ArchivedNumber { package static var type: NumberType { .u64 } }
extension UInt8: ArchivedNumber { package static var type: NumberType { .u8 } }
