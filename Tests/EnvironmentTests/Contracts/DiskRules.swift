import Environment
import Testing

let diskRules: [Rule] = [
    Rule("a new file has what was written to it, after it was opened again") { host, folder in
        let path = "\(folder)/f"
        let file = try await host.disk.open(path, .create)
        try await file.write([1, 2, 3], at: 0)
        try await file.sync()
        #expect(file.byteCount == 3)
        await file.close()
        let again = try await host.disk.open(path, .read)
        #expect(again.byteCount == 3)
        let bytes: [UInt8] = try await again.read(3, at: 0)
        #expect(bytes == [1, 2, 3])
        await again.close()
    },
    Rule("create needs that nothing is there, read that something is, update neither") { host, folder in
        let path = "\(folder)/f"
        await expectFailure(.notFound(path: path)) { () throws(DiskError) in _ = try await host.disk.open(path, .read) }
        await host.disk.openAndClose(path, .update)
        await expectFailure(.alreadyExists(path: path)) { () throws(DiskError) in
            _ = try await host.disk.open(path, .create)
        }
        await host.disk.openAndClose(path, .update)
        await host.disk.openAndClose(path, .read)
        let missing = "\(folder)/none/f"
        await expectFailure(.notFound(path: missing)) { () throws(DiskError) in
            _ = try await host.disk.open(missing, .create)
        }
    },
    Rule("a folder cannot be opened as a file") { host, folder in
        for mode: DiskOpenMode in [.read, .create, .update] {
            await #expect(throws: DiskError.self) { _ = try await host.disk.open(folder, mode) }
        }
    },
    Rule("a write past the end leaves zeros before it") { host, folder in
        let file = try await host.disk.open("\(folder)/f", .create)
        try await file.write([9], at: 10_000)
        #expect(file.byteCount == 10_001)
        let bytes: [UInt8] = try await file.read(20_000, at: 0)
        #expect(bytes == [UInt8](repeating: 0, count: 10_000) + [9])
        await file.close()
    },
    Rule("a read past the end gives what there is") { host, folder in
        let file = try await host.disk.open("\(folder)/f", .create)
        try await file.write([1, 2, 3], at: 0)
        let tail: [UInt8] = try await file.read(10, at: 2)
        let nothing: [UInt8] = try await file.read(10, at: 3)
        let beyond: [UInt8] = try await file.read(10, at: 1_000)
        let none: [UInt8] = try await file.read(0, at: 0)
        #expect(tail == [3] && nothing == [] && beyond == [] && none == [])
        await #expect(throws: DiskError.self) { _ = try await file.read(-1, at: 0) }
        await #expect(throws: DiskError.self) { _ = try await file.read(1, at: -1) }
        await #expect(throws: DiskError.self) { try await file.write([1], at: -1) }
        await file.close()
    },
    Rule("writes overwrite, append and keep what is beside them") { host, folder in
        let file = try await host.disk.open("\(folder)/f", .create)
        let large: [UInt8] = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 / 7) }
        try await file.write(large, at: 0)
        try await file.write([255, 254], at: 4_095)
        try await file.write([1], at: file.byteCount)
        var wanted: [UInt8] = large + [1]
        wanted[4_095] = 255
        wanted[4_096] = 254
        let bytes: [UInt8] = try await file.read(wanted.count, at: 0)
        #expect(bytes == wanted)
        await file.close()
    },
    Rule("truncating cuts and grows with zeros") { host, folder in
        let file = try await host.disk.open("\(folder)/f", .create)
        try await file.write([1, 2, 3, 4], at: 0)
        try await file.truncate(to: 2)
        #expect(file.byteCount == 2)
        try await file.truncate(to: 4)
        let bytes: [UInt8] = try await file.read(10, at: 0)
        #expect(bytes == [1, 2, 0, 0])
        try await file.truncate(to: 0)
        #expect(file.byteCount == 0)
        await file.close()
    },
    Rule("a closed file says so") { host, folder in
        let path = "\(folder)/f"
        let file = try await host.disk.open(path, .create)
        await file.close()
        await file.close()
        await expectFailure(.closed(path: path)) { () throws(DiskError) in _ = try await file.read(1, at: 0) }
        await expectFailure(.closed(path: path)) { () throws(DiskError) in try await file.write([1], at: 0) }
        await expectFailure(.closed(path: path)) { () throws(DiskError) in try await file.sync() }
        await expectFailure(.closed(path: path)) { () throws(DiskError) in try await file.truncate(to: 0) }
        var byte: UInt8 = 0
        let count: Int? = withUnsafeMutableBytes(of: &byte) { file.readIfCached(into: $0, at: 0) }
        #expect(count == nil)
    },
    Rule("a file opened for reading cannot be written") { host, folder in
        let path = "\(folder)/f"
        await host.disk.openAndClose(path, .create)
        let file = try await host.disk.open(path, .read)
        await #expect(throws: DiskError.self) { try await file.write([1], at: 0) }
        await #expect(throws: DiskError.self) { try await file.truncate(to: 0) }
        await file.close()
    },
    Rule("a cached read gives all, the end of the file, or nil") { host, folder in
        let file = try await host.disk.open("\(folder)/f", .create)
        try await file.write([1, 2, 3, 4, 5], at: 0)
        var target: [UInt8] = [0, 0, 0]
        let whole: Int? = target.withUnsafeMutableBytes { file.readIfCached(into: $0, at: 1) }
        #expect(whole == nil || (whole == 3 && target == [2, 3, 4]))
        let tail: Int? = target.withUnsafeMutableBytes { file.readIfCached(into: $0, at: 4) }
        #expect(tail == nil || (tail == 1 && target[0] == 5))
        let beyond: Int? = target.withUnsafeMutableBytes { file.readIfCached(into: $0, at: 100) }
        #expect(beyond == nil || beyond == 0)
        await file.close()
    },
    Rule("folders are made with those above them, and again without harm") { host, folder in
        let path = "\(folder)/a/b/c"
        try await host.disk.createDirectory(path)
        try await host.disk.createDirectory(path)
        let kind: DiskEntryKind? = try await host.disk.kind(of: path)
        #expect(kind == .directory)
        let missing: DiskEntryKind? = try await host.disk.kind(of: "\(folder)/x/y")
        #expect(missing == nil)
        await host.disk.openAndClose("\(folder)/f", .create)
        await #expect(throws: DiskError.self) { try await host.disk.createDirectory("\(folder)/f") }
    },
    Rule("names are listed in the order of their bytes") { host, folder in
        for name in ["b", "a", "ä", "B", "10", "9", ".hidden"] {
            await host.disk.openAndClose("\(folder)/\(name)", .create)
        }
        try await host.disk.createDirectory("\(folder)/c")
        let names: [String] = try await host.disk.list(folder)
        #expect(names == [".hidden", "10", "9", "B", "a", "b", "c", "ä"])
        let none = "\(folder)/none"
        await expectFailure(.notFound(path: none)) { () throws(DiskError) in _ = try await host.disk.list(none) }
    },
    Rule("a rename replaces what had the name") { host, folder in
        try await host.disk.writeFile("\(folder)/a", [1])
        try await host.disk.writeFile("\(folder)/b", [2, 2])
        try await host.disk.rename("\(folder)/a", to: "\(folder)/b")
        let names: [String] = try await host.disk.list(folder)
        let kind: DiskEntryKind? = try await host.disk.kind(of: "\(folder)/b")
        #expect(names == ["b"])
        #expect(kind == .file(byteCount: 1))
        let none = "\(folder)/none"
        await expectFailure(.notFound(path: none)) { () throws(DiskError) in
            try await host.disk.rename(none, to: "\(folder)/b")
        }
    },
    Rule("a folder can be renamed with what is in it") { host, folder in
        try await host.disk.createDirectory("\(folder)/a")
        try await host.disk.writeFile("\(folder)/a/f", [1])
        try await host.disk.rename("\(folder)/a", to: "\(folder)/b")
        let names: [String] = try await host.disk.list("\(folder)/b")
        #expect(names == ["f"])
    },
    Rule("a link is a second name that outlives the first") { host, folder in
        let (first, second) = ("\(folder)/a", "\(folder)/b")
        try await host.disk.writeFile(first, [1, 2])
        try await host.disk.link(first, to: second)
        await expectFailure(.alreadyExists(path: second)) { () throws(DiskError) in
            try await host.disk.link(first, to: second)
        }
        try await host.disk.remove(first)
        let kind: DiskEntryKind? = try await host.disk.kind(of: second)
        #expect(kind == .file(byteCount: 2))
        await expectFailure(.notFound(path: first)) { () throws(DiskError) in
            try await host.disk.link(first, to: "\(folder)/c")
        }
    },
    Rule("a removed file stays readable where it is open") { host, folder in
        let path = "\(folder)/f"
        try await host.disk.writeFile(path, [1, 2])
        let file = try await host.disk.open(path, .read)
        try await host.disk.remove(path)
        let bytes: [UInt8] = try await file.read(2, at: 0)
        #expect(bytes == [1, 2])
        await file.close()
        await expectFailure(.notFound(path: path)) { () throws(DiskError) in try await host.disk.remove(path) }
    },
    Rule("only an empty folder is removed") { host, folder in
        try await host.disk.createDirectory("\(folder)/d")
        try await host.disk.writeFile("\(folder)/d/f", [1])
        await #expect(throws: DiskError.self) { try await host.disk.remove("\(folder)/d") }
        try await host.disk.remove("\(folder)/d/f")
        try await host.disk.remove("\(folder)/d")
        let names: [String] = try await host.disk.list(folder)
        #expect(names == [])
    },
    Rule("folders are synced, free space is known") { host, folder in
        try await host.disk.syncDirectory(folder)
        let free: Int = try await host.disk.freeByteCount(folder)
        #expect(free > 0)
        let none = "\(folder)/none"
        await expectFailure(.notFound(path: none)) { () throws(DiskError) in try await host.disk.syncDirectory(none) }
        await expectFailure(.notFound(path: none)) { () throws(DiskError) in
            _ = try await host.disk.freeByteCount(none)
        }
    },
    Rule("a folder is locked once") { host, folder in
        try await host.disk.createDirectory("\(folder)/other")
        try await host.disk.lockDirectory(folder)
        await expectFailure(.locked(path: folder)) { () throws(DiskError) in try await host.disk.lockDirectory(folder) }
        try await host.disk.lockDirectory("\(folder)/other")
        await host.disk.unlockDirectory(folder)
        await host.disk.unlockDirectory(folder)
        try await host.disk.lockDirectory(folder)
    },
    Rule("reads overlap") { host, folder in
        let file = try await host.disk.open("\(folder)/f", .create)
        try await file.write((0..<100).map { UInt8($0) }, at: 0)
        let sum: Int = try await withThrowingTaskGroup(of: Int.self) { group in
            for index in 0..<100 { group.addTask { Int(try await file.read(1, at: index)[0]) } }
            var sum = 0
            for try await value in group { sum += value }
            return sum
        }
        #expect(sum == 4_950)
        await file.close()
    },
]

let logFileRules: [Rule] = [
    Rule("a new log file is zeros") { host, folder in
        let log = try await host.disk.openLog("\(folder)/log", byteCount: 3 << 20, access: .stored)
        #expect(log.byteCount == 3 << 20)
        let head: [UInt8] = try await log.read(4_096, at: 0)
        let tail: [UInt8] = try await log.read(100, at: (3 << 20) - 10)
        #expect(head == [UInt8](repeating: 0, count: 4_096))
        #expect(tail == [UInt8](repeating: 0, count: 10))
        await log.close()
        let kind: DiskEntryKind? = try await host.disk.kind(of: "\(folder)/log")
        #expect(kind == .file(byteCount: 3 << 20))
    },
    Rule("what was stored is read, also after the log file was opened again") { host, folder in
        let path = "\(folder)/log"
        let log = try await host.disk.openLog(path, byteCount: 8_192, access: .stored)
        [1, 2, 3].withUnsafeBytes { (bytes: UnsafeRawBufferPointer) in log.store(bytes, at: 4_090) }
        let empty = UnsafeRawBufferPointer(start: nil, count: 0)
        log.store(empty, at: 8_192)
        try await log.sync()
        await log.close()
        let again = try await host.disk.openLog(path, byteCount: 8_192, access: .stored)
        let read: [UInt8] = try await again.read(24, at: 4_090)
        let wanted: [UInt8] = [1, 2, 3].withUnsafeBytes { [UInt8]($0) }
        #expect(read == wanted)
        await again.close()
    },
    Rule("durable writes are whole pages inside the log file") { host, folder in
        let log = try await host.disk.openLog("\(folder)/log", byteCount: 16_384, access: .durable)
        let page: [UInt8] = [UInt8](repeating: 7, count: 4_096)
        try await log.writeDurably(page, at: 0)
        try await log.writeDurably(page + page, at: 8_192)
        let bytes: [UInt8] = try await log.read(16_384, at: 0)
        #expect(bytes == page + [UInt8](repeating: 0, count: 4_096) + page + page)
        await #expect(throws: DiskError.self) { try await log.writeDurably(page, at: 100) }
        await #expect(throws: DiskError.self) { try await log.writeDurably([1, 2, 3], at: 0) }
        await #expect(throws: DiskError.self) { try await log.writeDurably(page, at: 16_384) }
        await #expect(throws: DiskError.self) { try await log.writeDurably(page, at: -4_096) }
        try await log.writeDurably([], at: 0)
        try await log.sync()
        await log.close()
    },
    Rule("a large durable write arrives whole") { host, folder in
        let log = try await host.disk.openLog("\(folder)/log", byteCount: 4 << 20, access: .durable)
        let bytes: [UInt8] = (0..<(2 << 20)).map { UInt8(truncatingIfNeeded: $0 / 4_096) }
        try await log.writeDurably(bytes, at: 1 << 20)
        try await log.writeDurably([UInt8](repeating: 9, count: 4_096), at: 0)
        let read: [UInt8] = try await log.read(2 << 20, at: 1 << 20)
        #expect(read == bytes)
        await log.close()
    },
    Rule("a log file gets the size that is asked for, and no size is an error") { host, folder in
        let path = "\(folder)/log"
        try await host.disk.writeFile(path, [1, 2, 3])
        let grown = try await host.disk.openLog(path, byteCount: 4_096, access: .durable)
        let bytes: [UInt8] = try await grown.read(5, at: 0)
        #expect(bytes == [1, 2, 3, 0, 0])
        await grown.close()
        let kind: DiskEntryKind? = try await host.disk.kind(of: path)
        #expect(kind == .file(byteCount: 4_096))
        await #expect(throws: DiskError.self) {
            _ = try await host.disk.openLog("\(folder)/none", byteCount: 0, access: .stored)
        }
    },
    Rule("a closed log file says so") { host, folder in
        let path = "\(folder)/log"
        for access: LogAccess in [.stored, .durable] {
            let log = try await host.disk.openLog(path, byteCount: 4_096, access: access)
            await log.close()
            await log.close()
            await expectFailure(.closed(path: path)) { () throws(DiskError) in _ = try await log.read(1, at: 0) }
            await expectFailure(.closed(path: path)) { () throws(DiskError) in try await log.sync() }
        }
    },
]

extension Disk {
    func openAndClose(_ path: String, _ mode: DiskOpenMode) async {
        do throws(DiskError) {
            await (try await open(path, mode)).close()
        } catch {
            Issue.record("\(error)")
        }
    }

    func writeFile(_ path: String, _ bytes: [UInt8]) async throws(DiskError) {
        let file = try await open(path, .update)
        try await file.write(bytes, at: 0)
        await file.close()
    }
}
