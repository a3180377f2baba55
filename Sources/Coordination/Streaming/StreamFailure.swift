package import Primitives
package import Storage

/// Why ranges could not be fetched. The peer's name is its address where that is known.
package enum StreamFailure: Error, Sendable, Equatable, CustomStringConvertible {
    /// The node did not answer for as long as it was asked.
    case unreachable(peer: String, table: String, reason: String)
    /// The node says that it cannot.
    case refused(peer: String, table: String, reason: String)
    /// What came is not what was asked for, or does not hold together.
    case damaged(peer: String, table: String, reason: String)
    /// This node cannot keep what comes.
    case storage(StorageError)
    /// A pull with this id runs already.
    case isRunning(UUID)
    case cancelled

    package var description: String {
        switch self {
        case .unreachable(let peer, let table, let reason): "\(peer) did not answer while streaming \(table): \(reason)"
        case .refused(let peer, let table, let reason): "\(peer) could not stream \(table): \(reason)"
        case .damaged(let peer, let table, let reason): "\(peer) streamed damaged data of \(table): \(reason)"
        case .storage(let failure): "Streamed data cannot be kept: \(failure)"
        case .isRunning(let id): "A stream with id \(id) runs already"
        case .cancelled: "The stream was cancelled"
        }
    }
}

/// Codes of refusals.
enum StreamRefusal {
    static let malformed: UInt16 = 1
    /// The source has not applied the epoch of the request yet.
    static let behind: UInt16 = 2
    static let unknownTable: UInt16 = 3
    /// The session, or what was asked of it, is not there any more.
    static let gone: UInt16 = 4
    static let busy: UInt16 = 5
    /// The source's storage failed.
    static let failed: UInt16 = 6
}
