import CSystemCalls
import Environment
import Glibc
import Primitives
import Synchronization

/// A log file whose writes go past the page cache and are durable when they return; where the file system refuses
/// that, they are plain writes followed by a sync.
///
/// `Sendable` is unchecked because `staging` and `direct` are only touched by the one write that is under way, which
/// `isWriting` guards; all else is constant.
final class DurableLogFile: LogFile, @unchecked Sendable {
    static let pageByteCount = 4_096
    /// Memory beyond this is given back after a write.
    private static let keptByteCount = 1 << 20

    let byteCount: Int
    private let path: String
    private let descriptor: Descriptor
    private let threads: BlockingThreads
    private let isWriting = Atomic<Bool>(false)
    /// Nil when the file system refuses direct writes.
    private var direct: Descriptor?
    /// Memory aligned as direct writes want it.
    private var staging: UnsafeMutableRawBufferPointer

    init(path: String, descriptor: Descriptor, byteCount: Int, threads: BlockingThreads) {
        self.path = path
        self.descriptor = descriptor
        self.byteCount = byteCount
        self.threads = threads
        let number: Int32 = martlet_open_direct(path)
        self.direct = number < 0 ? nil : Descriptor(number: number)
        self.staging = DurableLogFile.allocate(64 * 1_024)
    }

    deinit {
        staging.deallocate()
    }

    func store(_ bytes: UnsafeRawBufferPointer, at offset: Int) {
        require(false, "only a stored log file takes stores")
    }

    func sync() async throws(DiskError) {
        try await use { [self] () throws(DiskError) in
            if retrying({ fdatasync(descriptor.number) }) != 0 { throw .last(path) }
        }
    }

    func writeDurably(_ bytes: [UInt8], at offset: Int) async throws(DiskError) {
        let page: Int = DurableLogFile.pageByteCount
        guard offset >= 0, offset % page == 0, bytes.count % page == 0, offset <= byteCount - bytes.count else {
            throw .system(EINVAL, path)
        }
        require(!isWriting.exchange(true, ordering: .acquiring), "a log file takes one durable write at a time")
        defer { isWriting.store(false, ordering: .releasing) }
        try await use { [self] () throws(DiskError) in try put(bytes, at: offset) }
    }

    func read(_ count: Int, at offset: Int) async throws(DiskError) -> [UInt8] {
        try await use { [self] () throws(DiskError) in try readBytes(descriptor.number, count, at: offset, path: path) }
    }

    func close() async {
        await threads.run { [self] in descriptor.close() }
    }

    /// On a thread of the pool.
    private func put(_ bytes: [UInt8], at offset: Int) throws(DiskError) {
        if staging.count < bytes.count {
            staging.deallocate()
            staging = DurableLogFile.allocate(bytes.count)
        }
        staging.copyBytes(from: bytes)
        let source = UnsafeRawBufferPointer(rebasing: staging[..<bytes.count])
        defer { giveBackExcess() }
        if let file = direct {
            do throws(DiskError) {
                return try writeFully(file.number, source, at: offset, path: path)
            } catch {
                guard case .failed(_, EINVAL, _) = error else { throw error }
                // The file system opened the file so and cannot write so.
                direct = nil
            }
        }
        try writeFully(descriptor.number, source, at: offset, path: path)
        if retrying({ fdatasync(descriptor.number) }) != 0 { throw .last(path) }
    }

    private func giveBackExcess() {
        guard staging.count > DurableLogFile.keptByteCount else { return }
        staging.deallocate()
        staging = DurableLogFile.allocate(64 * 1_024)
    }

    private func use<Value: Sendable>(
        _ body: @escaping @Sendable () throws(DiskError) -> Value
    ) async throws(DiskError) -> Value {
        let (descriptor, path) = (self.descriptor, self.path)
        return try await threads.run { () throws(DiskError) in
            guard descriptor.beginUse() else { throw .closed(path: path) }
            defer { descriptor.endUse() }
            return try body()
        }
    }

    private static func allocate(_ byteCount: Int) -> UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer.allocate(byteCount: byteCount, alignment: pageByteCount)
    }
}
