import CSystemCalls
import Environment
import Glibc
import Synchronization

/// An open file of the operating system.
final class SystemFile: DiskFile {
    private let path: String
    private let descriptor: Descriptor
    private let threads: BlockingThreads
    private let size: Atomic<Int>

    init(path: String, descriptor: Descriptor, byteCount: Int, threads: BlockingThreads) {
        self.path = path
        self.descriptor = descriptor
        self.size = Atomic(byteCount)
        self.threads = threads
    }

    var byteCount: Int { size.load(ordering: .acquiring) }

    func read(_ count: Int, at offset: Int) async throws(DiskError) -> [UInt8] {
        try await use { (number: Int32, path: String) throws(DiskError) in
            try readBytes(number, count, at: offset, path: path)
        }
    }

    func readIfCached(into target: UnsafeMutableRawBufferPointer, at offset: Int) -> Int? {
        guard offset >= 0, descriptor.beginUse() else { return nil }
        defer { descriptor.endUse() }
        guard target.count > 0 else { return 0 }
        let count: Int = martlet_read_cached(descriptor.number, target.baseAddress, target.count, off_t(offset))
        if count < 0 { return nil }
        // A short read is either the end of the file or the end of what is in memory.
        return count == target.count || offset + count >= byteCount ? count : nil
    }

    func write(_ bytes: [UInt8], at offset: Int) async throws(DiskError) {
        guard offset >= 0, offset <= Int.max - bytes.count else { throw .system(EINVAL, path) }
        try await use { (number: Int32, path: String) throws(DiskError) in
            let result: Result<Void, DiskError> = bytes.withUnsafeBytes { buffer in
                Result { () throws(DiskError) in try writeFully(number, buffer, at: offset, path: path) }
            }
            if case .failure = result, let actual = try? sizeOfFile(number, path: path) {
                self.size.store(actual, ordering: .releasing)
            }
            try result.get()
            self.size.max(offset + bytes.count, ordering: .acquiringAndReleasing)
        }
    }

    func sync() async throws(DiskError) {
        try await use { (number: Int32, path: String) throws(DiskError) in
            if retrying({ fdatasync(number) }) != 0 { throw .last(path) }
        }
    }

    func truncate(to byteCount: Int) async throws(DiskError) {
        guard byteCount >= 0 else { throw .system(EINVAL, path) }
        try await use { (number: Int32, path: String) throws(DiskError) in
            if retrying({ ftruncate(number, off_t(byteCount)) }) != 0 { throw .last(path) }
            self.size.store(byteCount, ordering: .releasing)
        }
    }

    func close() async {
        let descriptor: Descriptor = self.descriptor
        await threads.run { descriptor.close() }
    }

    /// Runs a call on the pool while the descriptor is held open.
    private func use<Value: Sendable>(
        _ body: @escaping @Sendable (Int32, String) throws(DiskError) -> Value
    ) async throws(DiskError) -> Value {
        let (descriptor, path) = (self.descriptor, self.path)
        return try await threads.run { () throws(DiskError) in
            guard descriptor.beginUse() else { throw .closed(path: path) }
            defer { descriptor.endUse() }
            return try body(descriptor.number, path)
        }
    }
}
