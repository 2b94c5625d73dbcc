import CDafl
import Glibc

/// The library's version, "major.minor.patch". The text lives as long as the library. Any thread.
@c @implementation
public func dafl_version() -> UnsafePointer<CChar>? {
    libraryVersion
}

private nonisolated(unsafe) let libraryVersion = UnsafePointer(strdup(DAFL_VERSION))

/// A short name for a status, such as "invalid argument"; "callback" for a number that a callback returned. The text lives
/// as long as the library. Any thread.
@c @implementation
public func dafl_status_name(_ status: dafl_status) -> UnsafePointer<CChar>? {
    switch Int(status) {
    case DAFL_OK: StaticText.pointer("ok")
    case DAFL_ERROR_INVALID_ARGUMENT: StaticText.pointer("invalid argument")
    case DAFL_ERROR_OUT_OF_MEMORY: StaticText.pointer("out of memory")
    case DAFL_ERROR_IO: StaticText.pointer("input or output")
    case DAFL_ERROR_FORMAT: StaticText.pointer("format")
    case DAFL_ERROR_UNSUPPORTED: StaticText.pointer("unsupported")
    case DAFL_ERROR_BUSY: StaticText.pointer("busy")
    case DAFL_ERROR_TEACHER: StaticText.pointer("teacher")
    case DAFL_ERROR_DIVERGED: StaticText.pointer("diverged")
    case DAFL_CANCELLED: StaticText.pointer("cancelled")
    case DAFL_QUERIES_SPENT: StaticText.pointer("queries spent")
    case DAFL_ERROR_RANK: StaticText.pointer("rank")
    default: StaticText.pointer("callback")
    }
}

/// What went wrong in this thread's last call that returns a status: a sentence that names the argument, its value and what
/// is allowed. "" when nothing did. Never NULL; valid until the thread's next such call.
@c @implementation
public func dafl_last_error() -> UnsafePointer<CChar>? {
    LastError.text
}
