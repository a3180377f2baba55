import Environment
import Glibc
import Primitives

/// A log file that is mapped into memory: storing is a copy, and the system has the bytes when the process dies.
///
/// `Sendable` is unchecked because the mapping never moves while the object lives, and callers store to ranges that do
/// not overlap; all else is constant.
final class StoredLogFile: LogFile, @unchecked Sendable {
    let byteCount: Int
    private let path: String
    private let descriptor: Descriptor
    private let threads: BlockingThreads
    private let memory: UnsafeMutableRawPointer

    init(path: String, descriptor: Descriptor, byteCount: Int, threads: BlockingThreads) throws(DiskError) {
        let mapped: UnsafeMutableRawPointer? = mmap(
            nil, byteCount, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor.number, 0)
        guard let mapped, mapped != MAP_FAILED else { throw .last(path) }
        self.path = path
        self.descriptor = descriptor
        self.byteCount = byteCount
        self.threads = threads
        self.memory = mapped
    }

    deinit {
        munmap(memory, byteCount)
    }

    func store(_ bytes: UnsafeRawBufferPointer, at offset: Int) {
        require(offset >= 0 && offset <= byteCount - bytes.count, "a store stays inside the log file")
        require(!descriptor.isGivenUp, "a store goes to an open log file")
        guard let source = bytes.baseAddress else { return }
        unsafe (memory + offset).copyMemory(from: source, byteCount: bytes.count)
    }

    func sync() async throws(DiskError) {
        try await use { (number: Int32, path: String) throws(DiskError) in
            // Linux takes what was stored through a shared mapping for dirty pages of the file.
            if retrying({ fdatasync(number) }) != 0 { throw .last(path) }
        }
    }

    func writeDurably(_ bytes: [UInt8], at offset: Int) async throws(DiskError) {
        require(false, "only a durable log file takes durable writes")
    }

    func read(_ count: Int, at offset: Int) async throws(DiskError) -> [UInt8] {
        try await use { (number: Int32, path: String) throws(DiskError) in
            try readBytes(number, count, at: offset, path: path)
        }
    }

    func close() async {
        let descriptor: Descriptor = self.descriptor
        await threads.run { descriptor.close() }
    }

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
