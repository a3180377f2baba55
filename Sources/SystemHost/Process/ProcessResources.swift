import CSystemCalls
import Glibc

/// What the process uses and may use.
package enum ProcessResources {
    /// Bytes of memory that the process has in use; 0 when the system does not say.
    package static var residentByteCount: Int {
        let descriptor: Int32 = retrying { open("/proc/self/statm", O_RDONLY | O_CLOEXEC) }
        guard descriptor >= 0 else { return 0 }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 128)
        let count: Int = retrying { read(descriptor, &bytes, bytes.count) }
        guard count > 0 else { return 0 }
        let fields = String(decoding: bytes[..<count], as: UTF8.self).split(separator: " ")
        guard fields.count > 1, let pages = Int(fields[1]) else { return 0 }
        return pages * sysconf(Int32(_SC_PAGESIZE))
    }

    /// Processor time that all threads of the process have used.
    package static var processorNanoseconds: UInt64 {
        var used = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used)
        return UInt64(truncatingIfNeeded: used.tv_sec) &* 1_000_000_000 &+ UInt64(truncatingIfNeeded: used.tv_nsec)
    }

    /// How many processors the process may use.
    package static var processorCount: Int {
        max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
    }

    /// Bytes of memory of the machine; 0 when the system does not say.
    package static var memoryByteCount: Int {
        let (pages, pageByteCount) = (sysconf(Int32(_SC_PHYS_PAGES)), sysconf(Int32(_SC_PAGESIZE)))
        return pages > 0 && pageByteCount > 0 ? pages * pageByteCount : 0
    }

    package static var processID: Int32 { getpid() }

    /// Raises the number of files that may be open as far as the process may; returns it, or nil when it could not.
    @discardableResult
    package static func raiseOpenFileLimit() -> Int? {
        let limit: Int64 = martlet_raise_file_limit()
        return limit < 0 ? nil : Int(clamping: limit)
    }

    /// The value of an environment variable; nil when it is not set.
    package static func environmentVariable(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }
    }

    /// The name of this machine.
    package static var hostName: String {
        var bytes = [CChar](repeating: 0, count: 256)
        // The last byte stays zero, so that a name that was cut ends.
        guard gethostname(&bytes, bytes.count - 1) == 0 else { return "localhost" }
        return String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Ends the process at once.
    package static func exit(_ status: Int32) -> Never {
        Glibc.exit(status)
    }
}
