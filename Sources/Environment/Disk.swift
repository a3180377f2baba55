/// Files and folders. Paths are absolute, or relative to where the process started; separators are `/`.
///
/// Nothing here is durable until it says so: file contents after `sync`, names after `syncDirectory` of their folder.
/// The simulated disk loses whatever was not made durable, so code that forgets is found.
public protocol Disk: Sendable {
    /// Makes a folder and the folders above it; does nothing when it exists.
    func createDirectory(_ path: String) async throws(DiskError)

    /// The names in a folder, in ascending order of their bytes, without `.` and `..`.
    func list(_ path: String) async throws(DiskError) -> [String]

    /// What is at `path`; nil when nothing is.
    func kind(of path: String) async throws(DiskError) -> DiskEntryKind?

    /// Removes a file, or an empty folder.
    func remove(_ path: String) async throws(DiskError)

    /// Gives the file at `source` the name `target`, replacing what had it, in one step.
    func rename(_ source: String, to target: String) async throws(DiskError)

    /// Gives the file at `source` a second name. Fails when `target` exists.
    func link(_ source: String, to target: String) async throws(DiskError)

    /// Makes the names in a folder durable.
    func syncDirectory(_ path: String) async throws(DiskError)

    /// Bytes that can still be written in the folder's file system.
    func freeByteCount(_ path: String) async throws(DiskError) -> Int

    /// Opens a file.
    func open(_ path: String, _ mode: DiskOpenMode) async throws(DiskError) -> any DiskFile

    /// Opens a log file of exactly `byteCount` bytes, made and filled with zeros when it does not exist. The room is
    /// reserved: a later write into it does not fail for want of space.
    func openLog(_ path: String, byteCount: Int, access: LogAccess) async throws(DiskError) -> any LogFile

    /// Takes the only lock on a folder, so that no second process uses it; it is let go when the process ends.
    ///
    /// - Throws: `.locked` when another process has it.
    func lockDirectory(_ path: String) async throws(DiskError)

    /// Lets go of a folder that this process has locked; of another one it does nothing.
    func unlockDirectory(_ path: String) async
}

public enum DiskEntryKind: Sendable, Equatable {
    case file(byteCount: Int)
    case directory
}

public enum DiskOpenMode: Sendable {
    /// For reading; the file must exist.
    case read
    /// For reading and writing; the file must not exist.
    case create
    /// For reading and writing; the file is made when it does not exist.
    case update
}

/// How the bytes of a log file get to the disk.
public enum LogAccess: Sendable {
    /// `store` puts bytes where they survive the process; `sync` makes them durable.
    case stored
    /// `writeDurably` puts whole pages on the disk and returns when they are durable.
    case durable
}

/// An open file. Safe to use from any loop; reads may overlap, writes to the same bytes may not.
public protocol DiskFile: AnyObject, Sendable {
    /// The size of the file, as this handle knows it.
    var byteCount: Int { get }

    /// Reads `count` bytes from `offset`; fewer when the file ends there.
    func read(_ count: Int, at offset: Int) async throws(DiskError) -> [UInt8]

    /// Reads without ever waiting for the disk.
    ///
    /// Hot: runs on a shard's loop. Returns how many bytes it read, or nil when not all of them were in memory.
    func readIfCached(into target: UnsafeMutableRawBufferPointer, at offset: Int) -> Int?

    /// Writes all of `bytes` at `offset`, extending the file when needed.
    func write(_ bytes: [UInt8], at offset: Int) async throws(DiskError)

    /// Makes the contents and the size durable.
    func sync() async throws(DiskError)

    /// Cuts the file to `byteCount` bytes.
    func truncate(to byteCount: Int) async throws(DiskError)

    /// Lets the file go. Further use throws `.closed`.
    func close() async
}

/// A file of fixed size that is written front to back.
public protocol LogFile: AnyObject, Sendable {
    var byteCount: Int { get }

    /// Puts bytes into the file such that they survive the death of this process, not of the machine.
    ///
    /// Hot: runs on a shard's loop, for every write in periodic mode; it makes no system call. Two calls at once are
    /// allowed for ranges that do not overlap. Only for `LogAccess.stored`.
    func store(_ bytes: UnsafeRawBufferPointer, at offset: Int)

    /// Makes durable what was stored.
    func sync() async throws(DiskError)

    /// Writes bytes that start and end on a multiple of 4,096 and returns when they are durable. Only for
    /// `LogAccess.durable`; one call at a time.
    func writeDurably(_ bytes: [UInt8], at offset: Int) async throws(DiskError)

    /// Reads `count` bytes from `offset`; fewer when the file ends there.
    func read(_ count: Int, at offset: Int) async throws(DiskError) -> [UInt8]

    func close() async
}

/// Why a disk operation failed.
public enum DiskError: Error, Equatable, Sendable {
    case notFound(path: String)
    case alreadyExists(path: String)
    case outOfSpace(path: String)
    case locked(path: String)
    case closed(path: String)
    /// Anything else the system reports: its number and its words.
    case failed(path: String, code: Int32, reason: String)
}
