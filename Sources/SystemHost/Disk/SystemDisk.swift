import CSystemCalls
import Environment
import Glibc
import Synchronization

/// Files and folders of the operating system: POSIX calls on a pool of threads.
final class SystemDisk: Disk {
    private let threads: BlockingThreads
    /// Descriptors of locked folders: the system frees the locks when they are closed.
    private let locks = Mutex<[(path: String, descriptor: Int32)]>([])

    init(threads: BlockingThreads) {
        self.threads = threads
    }

    func createDirectory(_ path: String) async throws(DiskError) {
        try await threads.run { () throws(DiskError) in
            var made: String = path.hasPrefix("/") ? "/" : ""
            for part in path.split(separator: "/") {
                made += made.isEmpty || made.hasSuffix("/") ? String(part) : "/" + part
                if mkdir(made, 0o755) == 0 { continue }
                let code: Int32 = errno
                if code != EEXIST { throw .system(code, made) }
                // Something has the name: fine when it is a folder.
                guard try kindOfEntry(made) == .directory else { throw .alreadyExists(path: made) }
            }
        }
    }

    func list(_ path: String) async throws(DiskError) -> [String] {
        try await threads.run { () throws(DiskError) in
            guard let directory = opendir(path) else { throw .last(path) }
            defer { closedir(directory) }
            var names: [String] = []
            while true {
                errno = 0
                guard let entry = readdir(directory) else { break }
                let name: String = withUnsafePointer(to: &entry.pointee.d_name) { name in
                    name.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                }
                if name != ".", name != ".." { names.append(name) }
            }
            if errno != 0 { throw .last(path) }
            return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        }
    }

    func kind(of path: String) async throws(DiskError) -> DiskEntryKind? {
        try await threads.run { () throws(DiskError) in try kindOfEntry(path) }
    }

    func remove(_ path: String) async throws(DiskError) {
        try await threads.run { () throws(DiskError) in
            if Glibc.remove(path) != 0 { throw .last(path) }
        }
    }

    func rename(_ source: String, to target: String) async throws(DiskError) {
        try await threads.run { () throws(DiskError) in
            if Glibc.rename(source, target) != 0 { throw .last(source) }
        }
    }

    func link(_ source: String, to target: String) async throws(DiskError) {
        try await threads.run { () throws(DiskError) in
            if Glibc.link(source, target) == 0 { return }
            throw errno == EEXIST ? .alreadyExists(path: target) : .last(source)
        }
    }

    func syncDirectory(_ path: String) async throws(DiskError) {
        try await threads.run { () throws(DiskError) in
            let descriptor: Int32 = retrying { Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
            if descriptor < 0 { throw .last(path) }
            defer { Glibc.close(descriptor) }
            if retrying({ fsync(descriptor) }) != 0 { throw .last(path) }
        }
    }

    func freeByteCount(_ path: String) async throws(DiskError) -> Int {
        try await threads.run { () throws(DiskError) in
            var status = statvfs()
            if retrying({ statvfs(path, &status) }) != 0 { throw .last(path) }
            let (bytes, overflow) = UInt64(status.f_bavail).multipliedReportingOverflow(by: UInt64(status.f_frsize))
            return overflow ? .max : Int(clamping: bytes)
        }
    }

    func open(_ path: String, _ mode: DiskOpenMode) async throws(DiskError) -> any DiskFile {
        let threads: BlockingThreads = self.threads
        return try await threads.run { () throws(DiskError) in
            let flags: Int32
            switch mode {
            case .read: flags = O_RDONLY
            case .create: flags = O_RDWR | O_CREAT | O_EXCL
            case .update: flags = O_RDWR | O_CREAT
            }
            let number: Int32 = retrying { Glibc.open(path, flags | O_CLOEXEC, 0o644) }
            if number < 0 { throw .last(path) }
            let descriptor = Descriptor(number: number)
            // A folder can be opened for reading, and then nothing works.
            if try kindOfEntry(path) == .directory { throw .system(EISDIR, path) }
            let byteCount: Int = try sizeOfFile(number, path: path)
            return SystemFile(path: path, descriptor: descriptor, byteCount: byteCount, threads: threads)
        }
    }

    func openLog(_ path: String, byteCount: Int, access: LogAccess) async throws(DiskError) -> any LogFile {
        let threads: BlockingThreads = self.threads
        return try await threads.run { () throws(DiskError) -> any LogFile in
            let descriptor: Descriptor = try prepareLog(path, byteCount: byteCount, access: access)
            switch access {
            case .stored:
                return try StoredLogFile(path: path, descriptor: descriptor, byteCount: byteCount, threads: threads)
            case .durable:
                return DurableLogFile(path: path, descriptor: descriptor, byteCount: byteCount, threads: threads)
            }
        }
    }

    func lockDirectory(_ path: String) async throws(DiskError) {
        let descriptor: Int32 = try await threads.run { () throws(DiskError) in
            // The folder itself is locked, so that no file appears in it.
            let descriptor: Int32 = retrying { Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
            if descriptor < 0 { throw .last(path) }
            if retrying({ flock(descriptor, LOCK_EX | LOCK_NB) }) == 0 { return descriptor }
            let code: Int32 = errno
            Glibc.close(descriptor)
            throw code == EWOULDBLOCK ? .locked(path: path) : .system(code, path)
        }
        locks.withLock { $0.append((path, descriptor)) }
    }

    func unlockDirectory(_ path: String) async {
        let descriptor: Int32? = locks.withLock { locks in
            locks.firstIndex { $0.path == path }.map { locks.remove(at: $0).descriptor }
        }
        if let descriptor { Glibc.close(descriptor) }
    }

    /// Lets go of every folder that was locked.
    func unlockDirectories() {
        let descriptors: [Int32] = locks.withLock { locks in
            let taken: [Int32] = locks.map(\.descriptor)
            locks = []
            return taken
        }
        for descriptor in descriptors { Glibc.close(descriptor) }
    }
}

/// What is at a path; nil when nothing is.
private func kindOfEntry(_ path: String) throws(DiskError) -> DiskEntryKind? {
    var status = stat()
    if stat(path, &status) != 0 {
        let code: Int32 = errno
        if code == ENOENT || code == ENOTDIR { return nil }
        throw .system(code, path)
    }
    return status.st_mode & S_IFMT == S_IFDIR ? .directory : .file(byteCount: Int(status.st_size))
}

/// Opens a log file and makes it `byteCount` bytes long, with room on the disk for all of them.
private func prepareLog(_ path: String, byteCount: Int, access: LogAccess) throws(DiskError) -> Descriptor {
    guard byteCount > 0 else { throw .system(EINVAL, path) }
    var isNew = true
    var number: Int32 = retrying { Glibc.open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o644) }
    if number < 0, errno == EEXIST {
        isNew = false
        number = retrying { Glibc.open(path, O_RDWR | O_CLOEXEC) }
    }
    if number < 0 { throw .last(path) }
    let descriptor = Descriptor(number: number)
    do throws(DiskError) {
        try resizeLog(number, to: byteCount, access: access, path: path)
    } catch {
        // Half a file would keep the room that somebody now needs.
        if isNew { unlink(path) }
        throw error
    }
    return descriptor
}

private func resizeLog(
    _ descriptor: Int32, to byteCount: Int, access: LogAccess, path: String
) throws(DiskError) {
    let size: Int = try sizeOfFile(descriptor, path: path)
    if size == byteCount { return }
    if size > byteCount {
        if retrying({ ftruncate(descriptor, off_t(byteCount)) }) != 0 { throw .last(path) }
    } else {
        // Reserving first fails early on a full disk. File systems that cannot are served by zeros.
        let status: Int32 = martlet_reserve(descriptor, off_t(size), off_t(byteCount - size))
        if status == -ENOSPC || status == -EDQUOT { throw .system(-status, path) }
        // A durable write into room that was only reserved changes metadata too, which makes its sync dear. Syncs of
        // stored bytes are rare: there the zeros would only be written twice.
        if access == .durable || status < 0 { try writeZeros(descriptor, size..<byteCount, path: path) }
    }
    if retrying({ fdatasync(descriptor) }) != 0 { throw .last(path) }
}

private func writeZeros(_ descriptor: Int32, _ range: Range<Int>, path: String) throws(DiskError) {
    let zeros = [UInt8](repeating: 0, count: min(1 << 20, range.count))
    var offset: Int = range.lowerBound
    while offset < range.upperBound {
        let count: Int = min(zeros.count, range.upperBound - offset)
        let result: Result<Void, DiskError> = zeros.withUnsafeBytes { buffer in
            Result { () throws(DiskError) in
                try writeFully(descriptor, UnsafeRawBufferPointer(rebasing: buffer[..<count]), at: offset, path: path)
            }
        }
        try result.get()
        offset += count
    }
}
