package import CQL
import Storage

/// What storage could not do, in words for a client.
package enum StorageFailure {
    package static func words(_ error: any Error) -> String {
        guard let failure = error as? StorageError else { return "\(error)" }
        switch failure {
        case .disk(let disk): return "the disk failed (\(disk))"
        case .damaged(let file, let offset, let reason): return "file \(file) is damaged at offset \(offset): \(reason)"
        case .outOfSpace(let path): return "no space is left for \(path)"
        case .logFailed(let reason): return "the commit log failed: \(reason)"
        case .tooLarge(let byteCount, let limit):
            return "a mutation of \(byteCount) bytes is larger than the maximum of \(limit)"
        case .overloaded: return "memory for unflushed writes is used up; try again later"
        case .closed: return "the node is stopping"
        case .cancelled: return "the work was cancelled"
        case .decoding(let reason): return "bytes could not be decoded (\(reason))"
        }
    }

    /// The error for a client whose request failed with `error`.
    package static func cqlError(_ error: any Error) -> CQLError {
        switch error {
        case let known as CQLError: return known
        case let failure as ProtocolError: return .protocolError(message: failure.message)
        case let failure as StorageError:
            switch failure {
            case .overloaded: return .overloaded(message: "The node is overloaded: \(words(failure))")
            case .tooLarge(let byteCount, let limit):
                return .invalid(message: "Rejected an oversized mutation (\(byteCount)/\(limit))")
            case .outOfSpace, .logFailed:
                return .serverError(message: "The write was refused: \(words(failure))")
            default: return .serverError(message: words(failure))
            }
        default: return .serverError(message: "\(error)")
        }
    }
}
