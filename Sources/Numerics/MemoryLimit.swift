import Glibc

enum MemoryLimitStub {}
package enum MemoryLimit {
    package static var available: Int { sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE)) }
}
