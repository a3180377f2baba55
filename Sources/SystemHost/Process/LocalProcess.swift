import Glibc

/// Another process of this machine, as `/proc` shows it.
package enum LocalProcess {
    /// Processor time that all threads of a process have used, in nanoseconds, in steps of the system's clock tick; nil
    /// when there is no such process.
    package static func processorNanoseconds(of process: Int32) -> UInt64? {
        guard let bytes = try? SmallFiles.read("/proc/\(process)/stat", limit: 1 << 20) else { return nil }
        let ticks: Int = sysconf(Int32(_SC_CLK_TCK))
        guard let used = usedTicks(String(decoding: bytes, as: UTF8.self)), ticks > 0 else { return nil }
        return used &* 1_000_000_000 / UInt64(ticks)
    }

    /// Fields 14 and 15 of a line of `/proc/PID/stat` (proc(5)), added. The name in field 2 may hold anything.
    static func usedTicks(_ line: String) -> UInt64? {
        guard let end = line.lastIndex(of: ")") else { return nil }
        let fields: [Substring] = line[line.index(after: end)...].split(separator: " ")
        guard fields.count > 12, let user = UInt64(fields[11]), let system = UInt64(fields[12]) else { return nil }
        return user &+ system
    }

    /// The process that listens at a TCP port; nil when there is none, or it belongs to somebody else.
    package static func listening(at port: UInt16) -> Int32? {
        var sockets: Set<String> = []
        for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
            guard let bytes = try? SmallFiles.read(table) else { continue }
            sockets.formUnion(listeners(String(decoding: bytes, as: UTF8.self), port))
        }
        if sockets.isEmpty { return nil }
        for name in names(in: "/proc") {
            guard let process = Int32(name) else { continue }
            let folder = "/proc/\(name)/fd"
            if names(in: folder).contains(where: { sockets.contains(linkTarget("\(folder)/\($0)")) }) { return process }
        }
        return nil
    }

    /// The sockets that listen at a port, in the form of links in `/proc/PID/fd`.
    static func listeners(_ table: String, _ port: UInt16) -> [String] {
        let digits = String(port, radix: 16, uppercase: true)
        let suffix: String = ":" + String(repeating: "0", count: 4 - digits.count) + digits
        return table.split(separator: "\n").compactMap { line in
            let fields: [Substring] = line.split(separator: " ")
            // Local address, and 0A for a socket that listens.
            guard fields.count > 9, fields[1].hasSuffix(suffix), fields[3] == "0A" else { return nil }
            return "socket:[\(fields[9])]"
        }
    }

    private static func names(in folder: String) -> [String] {
        guard let directory = opendir(folder) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            names.append(
                withUnsafePointer(to: &entry.pointee.d_name) { name in
                    name.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                })
        }
        return names
    }

    private static func linkTarget(_ path: String) -> String {
        var bytes = [CChar](repeating: 0, count: 256)
        let count: Int = readlink(path, &bytes, bytes.count)
        guard count > 0 else { return "" }
        return String(decoding: bytes[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
