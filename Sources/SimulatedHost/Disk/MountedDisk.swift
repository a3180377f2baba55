import Environment
import Primitives

/// A machine's disk as one process sees it. When the process has ended nothing here returns.
///
/// An operation changes what programs see when it starts, and what is durable when it ends: one that a crash finds in
/// between may be kept, lost or torn.
///
/// `Sendable` is unchecked because a world and all that belongs to it is used by one thread at a time.
final class MountedDisk: Disk, @unchecked Sendable {
    let disk: SimulatedDisk
    let life: ProcessLife
    unowned let world: SimulatedWorld

    init(disk: SimulatedDisk, life: ProcessLife, world: SimulatedWorld) {
        self.disk = disk
        self.life = life
        self.world = world
    }

    /// Starts an operation, waits as long as it takes, and ends it.
    ///
    /// - Parameters:
    ///   - effect: what it does when it starts.
    ///   - failure: what is left of it when the disk fails it.
    ///   - finish: what it makes durable when it ends well.
    func perform<Value>(
        _ name: StaticString, _ path: String, _ effect: () throws(DiskError) -> Value,
        failure: () -> Void = {}, finish: (Value) -> Void = { _ in }
    ) async throws(DiskError) -> Value {
        if life.isOver { await neverReturn() }
        let outcome: Result<Value, DiskError>
        switch disk.begin(name, path) {
        case .goesOn:
            outcome = Result(catching: effect)
        case .fails:
            failure()
            outcome = .failure(.inputOutput(path))
        case .crashes:
            _ = Result(catching: effect)
            disk.stopMachine()
            await neverReturn()
        }
        await world.pause(nanoseconds: disk.latencyNanoseconds(), on: life.diskLane)
        let value: Value = try outcome.get()
        finish(value)
        return value
    }

    func createDirectory(_ path: String) async throws(DiskError) {
        try await perform("createDirectory", path) { () throws(DiskError) in
            var directory: StoredDirectory = disk.root
            for part in SimulatedDisk.parts(path) {
                switch directory.names[part] {
                case .directory(let next): directory = next
                case .file: throw .alreadyExists(path: path)
                case nil:
                    let next = StoredDirectory()
                    disk.changeNames(.add(directory, part, .directory(next)))
                    directory = next
                }
            }
        }
    }

    func list(_ path: String) async throws(DiskError) -> [String] {
        try await perform("list", path) { () throws(DiskError) in try disk.directory(at: path).sortedNames }
    }

    func kind(of path: String) async throws(DiskError) -> DiskEntryKind? {
        try await perform("kind", path) { () throws(DiskError) in
            switch disk.entry(at: path) {
            case .file(let file): .file(byteCount: file.content.byteCount)
            case .directory: .directory
            case nil: nil
            }
        }
    }

    func remove(_ path: String) async throws(DiskError) {
        try await perform("remove", path) { () throws(DiskError) in
            let place = try disk.place(of: path)
            guard let entry = place.directory.names[place.name] else { throw .notFound(path: path) }
            if case .directory(let directory) = entry, !directory.names.isEmpty {
                throw .failed(path: path, code: SystemErrorNumber.directoryNotEmpty, reason: "Directory not empty")
            }
            disk.changeNames(.remove(place.directory, place.name, entry))
        }
    }

    func rename(_ source: String, to target: String) async throws(DiskError) {
        try await perform("rename", source) { () throws(DiskError) in
            let from = try disk.place(of: source)
            guard let entry = from.directory.names[from.name] else { throw .notFound(path: source) }
            let to = try disk.place(of: target)
            switch (entry, to.directory.names[to.name]) {
            case (.file, .directory):
                throw .failed(path: target, code: SystemErrorNumber.isADirectory, reason: "Is a directory")
            case (.directory, .file):
                throw .failed(path: target, code: SystemErrorNumber.notADirectory, reason: "Not a directory")
            case (.directory, .directory(let existing)) where !existing.names.isEmpty:
                throw .failed(path: target, code: SystemErrorNumber.directoryNotEmpty, reason: "Directory not empty")
            case (_, let existing):
                // Two names of one file: nothing happens (rename(2)).
                if entry.isSame(as: existing) { return }
            }
            disk.changeNames(.move(from.directory, from.name, to: to.directory, to.name, entry))
        }
    }

    func link(_ source: String, to target: String) async throws(DiskError) {
        try await perform("link", target) { () throws(DiskError) in
            let file: StoredFile = try disk.file(at: source)
            let to = try disk.place(of: target)
            guard to.directory.names[to.name] == nil else { throw .alreadyExists(path: target) }
            disk.changeNames(.add(to.directory, to.name, .file(file)))
        }
    }

    func syncDirectory(_ path: String) async throws(DiskError) {
        _ = try await perform("syncDirectory", path) { () throws(DiskError) in
            (directory: try disk.directory(at: path), through: disk.lastChange)
        } finish: { synced in
            disk.makeNamesDurable(of: synced.directory, through: synced.through)
        }
    }

    func freeByteCount(_ path: String) async throws(DiskError) -> Int {
        try await perform("freeByteCount", path) { () throws(DiskError) in
            guard disk.entry(at: path) != nil else { throw .notFound(path: path) }
            return disk.freeByteCount
        }
    }

    func open(_ path: String, _ mode: DiskOpenMode) async throws(DiskError) -> any DiskFile {
        let file: StoredFile = try await perform("open", path) { () throws(DiskError) in
            if case .read = mode { return try disk.file(at: path) }
            let place = try disk.place(of: path)
            switch place.directory.names[place.name] {
            case .directory:
                throw .failed(path: path, code: SystemErrorNumber.isADirectory, reason: "Is a directory")
            case .file(let file):
                if case .create = mode { throw .alreadyExists(path: path) }
                return file
            case nil:
                let file = StoredFile()
                disk.changeNames(.add(place.directory, place.name, .file(file)))
                return file
            }
        }
        var isWritable = true
        if case .read = mode { isWritable = false }
        return SimulatedFile(path: path, file: file, isWritable: isWritable, mount: self)
    }

    func openLog(_ path: String, byteCount: Int, access: LogAccess) async throws(DiskError) -> any LogFile {
        let opened: (file: StoredFile, through: UInt64) = try await perform("openLog", path) { () throws(DiskError) in
            guard byteCount > 0 else { throw .invalid(path) }
            let place = try disk.place(of: path)
            switch place.directory.names[place.name] {
            case .directory:
                throw .failed(path: path, code: SystemErrorNumber.isADirectory, reason: "Is a directory")
            case .file(let file):
                guard byteCount - file.content.byteCount <= disk.freeByteCount else { throw .outOfSpace(path: path) }
                let sequence: UInt64 = disk.nextChange()
                if file.content.byteCount != byteCount { file.resize(to: byteCount, sequence: sequence) }
                return (file, sequence)
            case nil:
                guard byteCount <= disk.freeByteCount else { throw .outOfSpace(path: path) }
                let file = StoredFile()
                disk.changeNames(.add(place.directory, place.name, .file(file)))
                let sequence: UInt64 = disk.nextChange()
                file.resize(to: byteCount, sequence: sequence)
                return (file, sequence)
            }
        } finish: { opened in
            // Only the size: what was stored before stays undecided until the next sync.
            opened.file.makeDurable(only: opened.through)
        }
        return SimulatedLogFile(path: path, file: opened.file, byteCount: byteCount, access: access, mount: self)
    }

    func lockDirectory(_ path: String) async throws(DiskError) {
        try await perform("lockDirectory", path) { () throws(DiskError) in
            let directory: StoredDirectory = try disk.directory(at: path)
            if disk.lockedDirectories.contains(where: { $0 === directory }) { throw .locked(path: path) }
            disk.lockedDirectories.append(directory)
        }
    }

    func unlockDirectory(_ path: String) async {
        guard let directory = try? disk.directory(at: path) else { return }
        disk.lockedDirectories.removeAll { $0 === directory }
    }
}
