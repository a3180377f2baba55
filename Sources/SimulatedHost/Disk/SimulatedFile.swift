import Environment
import Primitives

/// An open file of a simulated disk.
///
/// `Sendable` is unchecked because a world and all that belongs to it is used by one thread at a time.
final class SimulatedFile: DiskFile, @unchecked Sendable {
    private let path: String
    private let file: StoredFile
    private let isWritable: Bool
    private let mount: MountedDisk
    private let number: Int
    private var isClosed = false

    init(path: String, file: StoredFile, isWritable: Bool, mount: MountedDisk) {
        self.path = path
        self.file = file
        self.isWritable = isWritable
        self.mount = mount
        self.number = mount.disk.opened(path)
    }

    var byteCount: Int { file.content.byteCount }

    func read(_ count: Int, at offset: Int) async throws(DiskError) -> [UInt8] {
        try checkOpen()
        return try await mount.perform("read", path) { () throws(DiskError) in
            guard count >= 0, offset >= 0 else { throw .invalid(path) }
            return file.content.bytes(count, at: offset)
        }
    }

    func readIfCached(into target: UnsafeMutableRawBufferPointer, at offset: Int) -> Int? {
        guard !isClosed, !mount.life.isOver, offset >= 0 else { return nil }
        if mount.disk.generator.chance(mount.disk.faults.cacheMissProbability) { return nil }
        return file.content.read(into: target, at: offset)
    }

    func write(_ bytes: [UInt8], at offset: Int) async throws(DiskError) {
        try checkWritable()
        let disk: SimulatedDisk = mount.disk
        let written: Int = try await mount.perform("write", path) { () throws(DiskError) in
            guard offset >= 0, offset <= Int.max - bytes.count else { throw .invalid(path) }
            let growth: Int = max(0, offset + bytes.count - file.content.byteCount)
            let missing: Int = max(0, growth - disk.freeByteCount)
            let written: Int = max(0, bytes.count - missing)
            // What fits is written before the disk says that it is full, as write(2) does.
            let part: [UInt8] = written == bytes.count ? bytes : Array(bytes.prefix(written))
            if !part.isEmpty { file.write(part, at: offset, sequence: disk.nextChange()) }
            return written
        } failure: {
            guard offset >= 0, !bytes.isEmpty, disk.faults.capacityByteCount == nil else { return }
            let part: [UInt8] = Array(bytes.prefix(disk.generator.below(bytes.count)))
            if !part.isEmpty { file.write(part, at: offset, sequence: disk.nextChange()) }
        }
        if written < bytes.count { throw .outOfSpace(path: path) }
    }

    func sync() async throws(DiskError) {
        try checkOpen()
        _ = try await mount.perform("sync", path) { () throws(DiskError) in
            mount.disk.lastChange
        } failure: {
            file.forgetPending(through: mount.disk.lastChange)
        } finish: { through in
            file.makeDurable(through: through)
        }
    }

    func truncate(to byteCount: Int) async throws(DiskError) {
        try checkWritable()
        try await mount.perform("truncate", path) { () throws(DiskError) in
            guard byteCount >= 0 else { throw .invalid(path) }
            guard byteCount - file.content.byteCount <= mount.disk.freeByteCount else { throw .outOfSpace(path: path) }
            file.resize(to: byteCount, sequence: mount.disk.nextChange())
        }
    }

    func close() async {
        guard !isClosed else { return }
        isClosed = true
        if mount.life.isOver { await neverReturn() }
        mount.disk.closed(number)
    }

    private func checkOpen() throws(DiskError) {
        if isClosed { throw .closed(path: path) }
    }

    private func checkWritable() throws(DiskError) {
        try checkOpen()
        if !isWritable {
            throw .failed(path: path, code: SystemErrorNumber.badDescriptor, reason: "Bad file descriptor")
        }
    }
}

/// An open log file of a simulated disk.
///
/// `Sendable` is unchecked because a world and all that belongs to it is used by one thread at a time.
final class SimulatedLogFile: LogFile, @unchecked Sendable {
    let byteCount: Int
    private let path: String
    private let file: StoredFile
    private let access: LogAccess
    private let mount: MountedDisk
    private let number: Int
    private var isClosed = false
    private var isWriting = false

    init(path: String, file: StoredFile, byteCount: Int, access: LogAccess, mount: MountedDisk) {
        self.path = path
        self.file = file
        self.byteCount = byteCount
        self.access = access
        self.mount = mount
        self.number = mount.disk.opened(path)
    }

    func store(_ bytes: UnsafeRawBufferPointer, at offset: Int) {
        require(access == .stored, "only a stored log file takes stores")
        require(offset >= 0 && offset <= byteCount - bytes.count, "a store stays inside the log file")
        require(!isClosed, "a store goes to an open log file")
        guard !mount.life.isOver, !bytes.isEmpty else { return }
        let fate: SimulatedDisk.Fate = mount.disk.begin("store", path)
        file.write([UInt8](bytes), at: offset, sequence: mount.disk.nextChange())
        // A store is a copy in memory: it cannot fail, but the power can.
        if case .crashes = fate { mount.disk.stopMachine() }
    }

    func sync() async throws(DiskError) {
        try checkOpen()
        _ = try await mount.perform("syncLog", path) { () throws(DiskError) in
            mount.disk.lastChange
        } failure: {
            file.forgetPending(through: mount.disk.lastChange)
        } finish: { through in
            file.makeDurable(through: through)
        }
    }

    func writeDurably(_ bytes: [UInt8], at offset: Int) async throws(DiskError) {
        try checkOpen()
        require(access == .durable, "only a durable log file takes durable writes")
        require(!isWriting, "a log file takes one durable write at a time")
        guard offset >= 0, offset % 4_096 == 0, bytes.count % 4_096 == 0, offset <= byteCount - bytes.count else {
            throw .invalid(path)
        }
        guard !bytes.isEmpty else { return }
        isWriting = true
        defer { isWriting = false }
        _ = try await mount.perform("writeDurably", path) { () throws(DiskError) in
            let sequence: UInt64 = mount.disk.nextChange()
            file.write(bytes, at: offset, sequence: sequence)
            return sequence
        } failure: {
            // Some of it may have reached the disk. It is durable at once, so that a crash later on cannot bring it back
            // over a newer write to the same place.
            let pages: Int = mount.disk.generator.below(bytes.count / 4_096)
            let sequence: UInt64 = mount.disk.nextChange()
            file.write(Array(bytes.prefix(pages * 4_096)), at: offset, sequence: sequence)
            file.makeDurable(only: sequence)
        } finish: { sequence in
            file.makeDurable(only: sequence)
        }
    }

    func read(_ count: Int, at offset: Int) async throws(DiskError) -> [UInt8] {
        try checkOpen()
        return try await mount.perform("readLog", path) { () throws(DiskError) in
            guard count >= 0, offset >= 0 else { throw .invalid(path) }
            return file.content.bytes(min(count, max(0, byteCount - offset)), at: offset)
        }
    }

    func close() async {
        guard !isClosed else { return }
        isClosed = true
        if mount.life.isOver { await neverReturn() }
        mount.disk.closed(number)
    }

    private func checkOpen() throws(DiskError) {
        if isClosed { throw .closed(path: path) }
    }
}
