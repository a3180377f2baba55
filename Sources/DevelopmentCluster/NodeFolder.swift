import Environment

/// What is kept of one node: `martlet.pid`, `martlet.log` and `data/`.
struct NodeFolder: Sendable {
    let path: String
    private let disk: any Disk

    init(_ path: String, _ disk: any Disk) {
        self.path = path
        self.disk = disk
    }

    var dataDirectory: String { path + "/data" }
    var log: String { path + "/martlet.log" }
    private var processFile: String { path + "/martlet.pid" }

    private static let maximumLogTail = 64 << 10

    func make() async throws(ClusterFailure) {
        try await SmallFile.attempt { () async throws(DiskError) in try await disk.createDirectory(path) }
    }

    /// The process that was noted last; nil when none is noted.
    func process() async -> Int32? {
        guard let bytes = try? await SmallFile.read(processFile, disk) else { return nil }
        let text = String(decoding: bytes, as: UTF8.self).filter { !$0.isWhitespace }
        guard let number = Int32(text), number > 0 else { return nil }
        return number
    }

    func note(_ process: Int32) async throws(ClusterFailure) {
        let bytes = Array("\(process)\n".utf8)
        try await SmallFile.attempt { () async throws(DiskError) in
            try await SmallFile.write(bytes, to: processFile, disk)
        }
    }

    func forgetProcess() async {
        // Whether it is there or not, the process is looked at before it is believed.
        try? await disk.remove(processFile)
    }

    func logByteCount() async -> Int {
        guard case .file(let byteCount)? = try? await disk.kind(of: log) else { return 0 }
        return byteCount
    }

    /// The last lines of the log behind an offset.
    func logEnd(after offset: Int, lineCount: Int) async -> String {
        let byteCount: Int = await logByteCount()
        let start: Int = max(offset, byteCount - NodeFolder.maximumLogTail)
        guard start < byteCount, let file = try? await disk.open(log, .read) else { return "" }
        let bytes: [UInt8] = (try? await file.read(byteCount - start, at: start)) ?? []
        await file.close()
        let lines: [Substring] = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
        return lines.suffix(lineCount).map { $0 + "\n" }.joined()
    }

    func remove() async throws(ClusterFailure) {
        try await SmallFile.attempt { () async throws(DiskError) in try await SmallFile.removeTree(path, disk) }
    }
}

/// Whole files and folders on a `Disk`.
enum SmallFile {
    private static let maximumByteCount = 1 << 20

    /// - Throws: when the disk fails, in words.
    static func attempt<Value>(_ work: () async throws(DiskError) -> Value) async throws(ClusterFailure) -> Value {
        do throws(DiskError) {
            return try await work()
        } catch {
            throw ClusterFailure(words(error))
        }
    }

    static func read(_ path: String, _ disk: any Disk) async throws(DiskError) -> [UInt8] {
        let file: any DiskFile = try await disk.open(path, .read)
        let result: Result<[UInt8], DiskError>
        do throws(DiskError) {
            result = .success(try await file.read(min(file.byteCount, maximumByteCount), at: 0))
        } catch { result = .failure(error) }
        await file.close()
        return try result.get()
    }

    /// Replaces a file in one step.
    static func write(_ bytes: [UInt8], to path: String, _ disk: any Disk) async throws(DiskError) {
        let fresh: String = path + ".new"
        let file: any DiskFile = try await disk.open(fresh, .update)
        do throws(DiskError) {
            try await file.truncate(to: 0)
            try await file.write(bytes, at: 0)
        } catch {
            await file.close()
            throw error
        }
        await file.close()
        try await disk.rename(fresh, to: path)
    }

    /// Removes a folder and all that is in it; does nothing when it is not there.
    static func removeTree(_ path: String, _ disk: any Disk) async throws(DiskError) {
        switch try await disk.kind(of: path) {
        case nil: return
        case .file: break
        case .directory:
            for name in try await disk.list(path) { try await removeTree(path + "/" + name, disk) }
        }
        try await disk.remove(path)
    }

    static func words(_ error: DiskError) -> String {
        switch error {
        case .notFound(let path): "There is no \(path)."
        case .alreadyExists(let path): "\(path) is there already."
        case .outOfSpace(let path): "There is no room for \(path) on the disk."
        case .locked(let path): "Another command works in \(path)."
        case .closed(let path): "\(path) is closed."
        case .failed(let path, _, let reason): "\(path): \(reason)."
        }
    }
}
