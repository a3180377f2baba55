public import Environment
public import Primitives

/// Why the storage engine could not do what it was asked.
public enum StorageError: Error, Sendable, Equatable {
    /// The disk failed.
    case disk(DiskError)
    /// A file holds bytes that nobody wrote there: a checksum or the structure below it is wrong. Never "not found".
    case damaged(file: String, offset: Int, reason: String)
    /// There is no room for what had to be written; the path says where.
    case outOfSpace(String)
    /// The commit log cannot take writes any more.
    case logFailed(String)
    /// One mutation or row is larger than what storage takes.
    case tooLarge(byteCount: Int, limit: Int)
    /// Memory for unflushed writes is used up; the write may be tried again later.
    case overloaded
    /// The engine, the table or the file was closed.
    case closed
    /// The work was cancelled before it was done.
    case cancelled
    /// Bytes from a client or a peer could not be decoded.
    case decoding(DecodingError)

    /// The error of a failed disk operation: a full disk is a case of its own.
    @inlinable
    public init(_ error: DiskError) {
        if case .outOfSpace(let path) = error { self = .outOfSpace(path) } else { self = .disk(error) }
    }
}
