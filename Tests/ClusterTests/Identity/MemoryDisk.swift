import Environment
import Synchronization

/// A disk in memory, enough for small files that are replaced as a whole.
final class MemoryDisk: Disk {
    private let files = Mutex<[String: [UInt8]]>([:])

    func bytes(_ path: String) -> [UInt8]? { files.withLock { $0[path] } }
    func put(_ bytes: [UInt8]?, at path: String) { files.withLock { $0[path] = bytes } }

    func createDirectory(_ path: String) async throws(DiskError) {}
    func list(_ path: String) async throws(DiskError) -> [String] { files.withLock { $0.keys.sorted() } }
    func syncDirectory(_ path: String) async throws(DiskError) {}
    func freeByteCount(_ path: String) async throws(DiskError) -> Int { 1 << 30 }
    func lockDirectory(_ path: String) async throws(DiskError) {}
    func unlockDirectory(_ path: String) async {}

    func kind(of path: String) async throws(DiskError) -> DiskEntryKind? {
        bytes(path).map { .file(byteCount: $0.count) }
    }

    func remove(_ path: String) async throws(DiskError) { put(nil, at: path) }

    func rename(_ source: String, to target: String) async throws(DiskError) {
        guard let bytes = bytes(source) else { throw .notFound(path: source) }
        put(bytes, at: target)
        put(nil, at: source)
    }

    func link(_ source: String, to target: String) async throws(DiskError) {
        guard let bytes = bytes(source) else { throw .notFound(path: source) }
        guard self.bytes(target) == nil else { throw .alreadyExists(path: target) }
        put(bytes, at: target)
    }

    func open(_ path: String, _ mode: DiskOpenMode) async throws(DiskError) -> any DiskFile {
        if mode == .read, bytes(path) == nil { throw .notFound(path: path) }
        if mode == .create, bytes(path) != nil { throw .alreadyExists(path: path) }
        if bytes(path) == nil { put([], at: path) }
        return MemoryFile(disk: self, path: path)
    }

    func openLog(_ path: String, byteCount: Int, access: LogAccess) async throws(DiskError) -> any LogFile {
        throw .failed(path: path, code: 0, reason: "There are no logs here")
    }
}

private final class MemoryFile: DiskFile {
    private let disk: MemoryDisk
    private let path: String

    init(disk: MemoryDisk, path: String) {
        self.disk = disk
        self.path = path
    }

    var byteCount: Int { disk.bytes(path)?.count ?? 0 }

    func read(_ count: Int, at offset: Int) async throws(DiskError) -> [UInt8] {
        Array((disk.bytes(path) ?? []).dropFirst(offset).prefix(count))
    }

    func readIfCached(into target: UnsafeMutableRawBufferPointer, at offset: Int) -> Int? { nil }

    func write(_ bytes: [UInt8], at offset: Int) async throws(DiskError) {
        disk.put((disk.bytes(path) ?? []).prefix(offset) + bytes, at: path)
    }

    func sync() async throws(DiskError) {}
    func truncate(to byteCount: Int) async throws(DiskError) {}
    func close() async {}
}
