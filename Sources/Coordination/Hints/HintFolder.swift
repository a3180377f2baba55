internal import Cluster
internal import Environment
internal import Primitives
internal import Synchronization

/// The files of one replica: the one being written, and those before it.
///
/// `Sendable` is unchecked because all uses are on loop 0; what waits for the disk goes through the gate of the store, so
/// that only one piece of work at a time changes what is here.
final class HintFolder: @unchecked Sendable {
    let target: HintTarget
    private unowned let store: HintStore
    /// Ascending; the last one is being written while `open` is there.
    private(set) var files: [HintFile] = []
    private var open: (any DiskFile)?
    private var isUnsynced = false
    private var isNameUnsynced = false

    init(target: HintTarget, store: HintStore) {
        self.target = target
        self.store = store
    }

    func path(_ name: String) -> String { "\(store.options.directory)/\(name)" }

    /// Takes over a file of a former process.
    func adopt(_ file: HintFile) {
        files.append(file)
        files.sort { $0.name < $1.name }
        target.pendingByteCount.add(file.byteCount, ordering: .relaxed)
        _ = target.outageStart.min(file.head.createdMicroseconds, ordering: .relaxed)
    }

    // MARK: Writing

    /// Writes hints; returns why they could not be written. On the disk are then none, some or all of those that are
    /// reported as lost.
    func write(_ runs: [HintRun], isSynced: Bool) async -> HintRefusal? {
        var bodies = ByteWriter(capacity: 16)
        var hintCount = 0
        for run in runs {
            bodies.write(run.bodies.span)
            hintCount += run.hintCount
        }
        let bytes: [UInt8] = bodies.array()
        var writtenCount = 0
        do throws(DiskError) {
            var place = 0
            while place < bytes.count {
                let chunk: HintChunk = try await prepare(bytes, from: place)
                try await write(chunk)
                place = chunk.end
                writtenCount += chunk.hintCount
            }
            if isSynced { try await syncOrThrow() }
            return nil
        } catch {
            let failedPath: String = files.last.map { path($0.name.name) } ?? store.options.directory
            let lostCount: Int = hintCount - writtenCount
            store.counters.lost += lostCount
            store.report(.lost(path: failedPath, hintCount: lostCount, reason: "\(error)"))
            await abandon()
            recount()
            return .disk("\(error)")
        }
    }

    /// As many of the bodies from `place` on as go into the file that is being written, or into a new one when not even
    /// the first does.
    private func prepare(_ bytes: [UInt8], from place: Int) async throws(DiskError) -> HintChunk {
        if let chunk = chunk(bytes, from: place) { return chunk }
        try await end()
        try await begin(bytes, from: place)
        guard let chunk = chunk(bytes, from: place) else {
            throw .failed(path: store.options.directory, code: 0, reason: "a hint is cut short")
        }
        return chunk
    }

    /// Nil when there is no file that the first body goes into.
    private func chunk(_ bytes: [UInt8], from place: Int) -> HintChunk? {
        guard open != nil, let file = files.last else { return nil }
        let isNew: Bool = file.byteCount == 0
        var writer = ByteWriter(capacity: min(bytes.count - place, store.options.fileByteCount) + 4_096)
        if isNew { file.head.write(to: &writer) }
        var chunk = HintChunk(offset: file.byteCount, end: place)
        var reader = ByteReader(bytes.span.bytes.extracting(place..<bytes.count))
        do throws(DecodingError) {
            while !reader.isAtEnd {
                let length = Int(try reader.readUInt32())
                let body: RawSpan = try reader.readBytes(length)
                let offset: Int = file.byteCount + writer.count
                let isFirstOfFile: Bool = offset == HintFileHead.byteCount
                let end: Int = offset + length + HintRecord.headByteCount
                if end > store.options.fileByteCount && !isFirstOfFile { break }
                HintRecord.write(body, offset: offset, salt: file.head.salt, to: &writer)
                chunk.hintCount += 1
                chunk.end = place + reader.offset
                var head = ByteReader(body)
                chunk.newestMicroseconds = max(chunk.newestMicroseconds, try head.readInt64())
            }
        } catch {
            return nil
        }
        guard chunk.hintCount > 0 else { return nil }
        chunk.bytes = writer.array()
        return chunk
    }

    /// Makes a new file, named for the first of the bodies.
    private func begin(_ bytes: [UInt8], from place: Int) async throws(DiskError) {
        var created: Int64 = 0
        do throws(DecodingError) {
            var reader = ByteReader(bytes.span.bytes.extracting(place..<bytes.count))
            try reader.skip(4)
            created = try reader.readInt64()
        } catch {
            throw .failed(path: store.options.directory, code: 0, reason: "a hint is cut short")
        }
        let name = HintFileName(target: target.id, number: store.nextNumber)
        store.nextNumber += 1
        let head = HintFileHead(target: target.id, salt: store.entropy.next(), createdMicroseconds: created)
        open = try await store.disk.open(path(name.name), .create)
        isNameUnsynced = true
        files.append(HintFile(name: name, head: head, byteCount: 0, hintCount: 0, newestMicroseconds: created))
    }

    private func write(_ chunk: HintChunk) async throws(DiskError) {
        guard let open, let index = files.indices.last else { return }
        isUnsynced = true
        try await open.write(chunk.bytes, at: chunk.offset)
        if files[index].byteCount == 0 {
            target.pendingByteCount.add(HintFileHead.byteCount, ordering: .relaxed)
        }
        files[index].byteCount = chunk.offset + chunk.bytes.count
        files[index].hintCount = (files[index].hintCount ?? 0) + chunk.hintCount
        files[index].newestMicroseconds = max(files[index].newestMicroseconds, chunk.newestMicroseconds)
    }

    private func syncOrThrow() async throws(DiskError) {
        if isUnsynced, let open { try await open.sync() }
        isUnsynced = false
        if isNameUnsynced { try await store.disk.syncDirectory(store.options.directory) }
        isNameUnsynced = false
    }

    /// Makes what was written durable, as far as the disk allows.
    func sync() async {
        guard isUnsynced || isNameUnsynced else { return }
        do throws(DiskError) {
            try await syncOrThrow()
        } catch {
            let place: String = files.last.map { path($0.name.name) } ?? store.options.directory
            store.report(.failed(path: place, reason: "\(error)"))
            // What a failed sync has left nobody knows; what comes next goes elsewhere.
            await abandon()
        }
    }

    /// Ends the file that is being written, so that it can be delivered whole.
    func seal() async {
        await sync()
        do throws(DiskError) {
            try await end()
        } catch {
            store.report(.failed(path: store.options.directory, reason: "\(error)"))
            await abandon()
        }
    }

    private func end() async throws(DiskError) {
        guard let former = open, let file = files.last else { return }
        try await syncOrThrow()
        open = nil
        await former.close()
        await note(file)
    }

    /// Lets go of the file that is being written after it failed.
    private func abandon() async {
        let former: (any DiskFile)? = open
        open = nil
        isUnsynced = false
        isNameUnsynced = false
        await former?.close()
        if let last = files.last, last.byteCount == 0 {
            files.removeLast()
            await store.removeFile(path(last.name.name))
        }
    }

    // MARK: Delivering

    /// The first file, or the first one after another; it is ended first when it is being written.
    func nextFile(after former: HintFileName?) async -> HintFile? {
        let name: HintFileName? = files.first { file in former.map { $0 < file.name } ?? true }?.name
        if open != nil, name == files.last?.name { await seal() }
        return files.first { $0.name == name }
    }

    func has(_ name: HintFileName) -> Bool { files.contains { $0.name == name } }

    /// Remembers how much of a file was delivered.
    func setDelivered(_ name: HintFileName, offset: Int, isNoted: Bool) async {
        guard let index = files.firstIndex(where: { $0.name == name }), offset > files[index].deliveredOffset else {
            return
        }
        files[index].deliveredOffset = min(offset, files[index].byteCount)
        if isNoted { await note(files[index]) }
    }

    /// Notes how much of a file was delivered.
    func noteDelivered(_ name: HintFileName) async {
        guard let file = files.first(where: { $0.name == name }) else { return }
        await note(file)
    }

    private func note(_ file: HintFile) async {
        do throws(DiskError) {
            let note = try await store.disk.open(path(file.name.progressName), .update)
            do throws(DiskError) {
                try await note.write(HintProgress(file).bytes, at: 0)
            } catch {
                await note.close()
                throw error
            }
            await note.close()
        } catch {
            store.report(.failed(path: path(file.name.progressName), reason: "\(error)"))
        }
    }

    /// Forgets and deletes a file.
    func remove(_ name: HintFileName) async {
        guard let index = files.firstIndex(where: { $0.name == name }) else { return }
        files.remove(at: index)
        await store.removeFile(path(name.name))
        await store.removeFile(path(name.progressName))
        recount()
    }

    /// Deletes all files.
    func removeAll() async {
        let former: (any DiskFile)? = open
        open = nil
        isUnsynced = false
        await former?.close()
        for file in files { await remove(file.name) }
        recount()
    }

    /// Corrects the count of bytes after it may have been wrong in either direction. What is in buffers at this moment is
    /// not counted, which a limit of many megabytes does not notice.
    private func recount() {
        target.pendingByteCount.store(files.reduce(0) { $0 + $1.byteCount }, ordering: .relaxed)
    }

    var backlog: HintStore.Backlog? {
        let byteCount: Int = target.pendingByteCount.load(ordering: .relaxed)
        guard byteCount > 0 || !files.isEmpty else { return nil }
        var hintCount: Int? = 0
        for file in files {
            if let known = file.hintCount, let sum = hintCount { hintCount = sum + known } else { hintCount = nil }
        }
        return HintStore.Backlog(
            target: target.id, fileCount: files.count, byteCount: byteCount, hintCount: hintCount,
            oldestMicroseconds: files.map(\.head.createdMicroseconds).min(),
            newestMicroseconds: files.map(\.newestMicroseconds).max())
    }
}

/// Records that go into a file with one write.
private struct HintChunk: Sendable {
    /// Where in the file.
    let offset: Int
    /// Where the bodies end in what was to be written.
    var end: Int
    var hintCount = 0
    var newestMicroseconds: Int64 = .min
    var bytes: [UInt8] = []

    init(offset: Int, end: Int) {
        self.offset = offset
        self.end = end
    }
}
