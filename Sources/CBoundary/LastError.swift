import Glibc

/// The text behind `dafl_last_error`: one for each thread, freed with the thread.
enum LastError {
    private static let key: pthread_key_t = {
        var key = pthread_key_t()
        pthread_key_create(&key) { free($0) }
        return key
    }()

    /// Never NULL; valid until the thread's next `set` or `clear`.
    static var text: UnsafePointer<CChar> {
        guard let text = pthread_getspecific(key) else { return StaticText.pointer("") }
        return UnsafePointer(text.assumingMemoryBound(to: CChar.self))
    }

    static func clear() {
        free(pthread_getspecific(key))
        pthread_setspecific(key, nil)
    }

    static func set(_ text: String) {
        clear()
        pthread_setspecific(key, text.withCString { strdup($0) })
    }
}
