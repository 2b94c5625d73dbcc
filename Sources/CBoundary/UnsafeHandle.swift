import Numerics
import Synchronization

/// What a handle points to: an object for one thread at a time.
class HandledObject {
    private let isBusy = Atomic<Bool>(false)

    fileprivate func enter() -> Bool {
        isBusy.compareExchange(expected: false, desired: true, ordering: .acquiring).exchanged
    }

    fileprivate func leave() {
        isBusy.store(false, ordering: .releasing)
    }
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
/// - Throws: `invalidArgument` for NULL, `busy` when a call is at work on it, and what `body` throws.
func using<Object: HandledObject>(
    _ handle: OpaquePointer?, _ name: String, as type: Object.Type, _ body: (Object) throws -> Void
) throws {
    let object = sharedObject(try require(handle, name), as: type)
    guard object.enter() else {
        throw DaflError(.busy, "the \(name) is in use: by another thread, or by the call that this callback serves")
    }
    defer { object.leave() }
    try body(object)
}
