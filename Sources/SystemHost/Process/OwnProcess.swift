import Glibc

/// This process itself.
package enum OwnProcess {
    /// Starts the program anew, in this process and with the same arguments, with a variable set in its environment.
    /// Returns only when that fails, or when the variable has the value already.
    package static func restart(setting name: String, to value: String) {
        guard ProcessResources.environmentVariable(name) != value, setenv(name, value, 1) == 0 else { return }
        execv("/proc/self/exe", CommandLine.unsafeArgv)
    }

    /// Starts the program anew, in this process, with other arguments and a variable set in its environment. Returns only
    /// when that fails.
    package static func restart(with arguments: [String], setting name: String, to value: String) {
        guard setenv(name, value, 1) == 0 else { return }
        let all: [String] = [CommandLine.arguments.first ?? ""] + arguments
        var pointers: [UnsafeMutablePointer<CChar>?] = all.map { strdup($0) }
        pointers.append(nil)
        execv("/proc/self/exe", &pointers)
        for pointer in pointers { free(pointer) }
    }

    /// Writes a line to standard output, all of it at once, so that whoever reads along sees it at once.
    package static func print(_ line: String) {
        var bytes: [UInt8] = Array((line + "\n").utf8)[...].map { $0 }
        while !bytes.isEmpty {
            let count: Int = write(1, bytes, bytes.count)
            if count <= 0 {
                if count < 0, errno == EINTR { continue }
                return
            }
            bytes.removeFirst(count)
        }
    }
}
