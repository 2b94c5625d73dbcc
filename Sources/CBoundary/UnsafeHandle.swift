import Glibc
import Numerics
import Synchronization

/// What a handle points to: an object that one call changes, or that several calls read, at a time.
class HandledObject {
    /// How many calls read it; -1 while one changes it.
    private let users = Atomic<Int>(0)
    /// The thread that may use it within a callback of the call that changes it; 0 for none.
    private let borrower = Atomic<UInt>(0)

    /// Calls `callback`, during which this thread, and no other, can use the object by `Use.exclusiveOrLent`. For a call that
    /// changes the object and is between two changes.
    func lend<Result>(during callback: () throws -> Result) rethrows -> Result {
        isLent = true
        borrower.store(pthread_self(), ordering: .releasing)
        defer {
            borrower.store(0, ordering: .releasing)
            isLent = false
        }
        return try callback()
    }

    /// Whether a call that uses it does so within such a callback. For the thread that uses it.
    private(set) var isLent = false

    fileprivate func enter(_ use: Use) -> Entry? {
        var before = users.load(ordering: .relaxed)
        while use == .shared ? before >= 0 : before == 0 {
            let (done, now) = users.weakCompareExchange(
                expected: before, desired: use == .shared ? before + 1 : -1, ordering: .acquiring)
            if done { return use == .shared ? .shared : .exclusive }
            before = now
        }
        // Not lent on: callbacks of the call that borrows it find it in use.
        guard use == .exclusiveOrLent,
            borrower.compareExchange(expected: pthread_self(), desired: 0, ordering: .acquiring).exchanged
        else { return nil }
        return .borrowed
    }

    fileprivate func leave(_ entry: Entry) {
        switch entry {
        case .shared: users.subtract(1, ordering: .releasing)
        case .exclusive: users.store(0, ordering: .releasing)
        case .borrowed: borrower.store(pthread_self(), ordering: .releasing)
        }
    }

    fileprivate enum Entry { case shared, exclusive, borrowed }
}

/// How a call uses the object of a handle.
enum Use {
    /// Reads it, while other calls may read it too.
    case shared
    /// Changes it, alone.
    case exclusive
    /// As `exclusive`, and also within a callback during which the object is lent.
    case exclusiveOrLent
}

/// A handle that owns the object, for the host to destroy.
func makeHandle(_ object: HandledObject) -> OpaquePointer {
    OpaquePointer(Unmanaged.passRetained(object).toOpaque())
}

/// Gives the handle's object up. A call that is at work on it, as when a callback destroys its own handle, ends in peace.
func destroyHandle(_ handle: OpaquePointer?) {
    guard let handle else { return }
    Unmanaged<HandledObject>.fromOpaque(UnsafeRawPointer(handle)).release()
}

/// The handle's object, without asking whether another thread uses it.
func sharedObject<Object: HandledObject>(_ handle: OpaquePointer, as type: Object.Type) -> Object {
    Unmanaged<Object>.fromOpaque(UnsafeRawPointer(handle)).takeUnretainedValue()
}

/// Uses the handle's object.
/// - Throws: `invalidArgument` for NULL, `busy` when a call at work on it is in the way, and what `body` throws.
@discardableResult
func using<Object: HandledObject, Result>(
    _ handle: OpaquePointer?, _ name: String, as type: Object.Type, _ use: Use = .exclusive, _ body: (Object) throws -> Result
) throws -> Result {
    let object = sharedObject(try require(handle, name), as: type)
    guard let entry = object.enter(use) else {
        throw DaflError(.busy, "the \(name) is in use: by another thread, or by the call that this callback serves")
    }
    defer { object.leave(entry) }
    return try body(object)
}
