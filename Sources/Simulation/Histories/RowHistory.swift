/// What clients do to a row with one value. Every write and deletion has a timestamp of its own, which the client gives,
/// so that the newest version is known whatever the clocks of nodes show.
package enum RowAction: Sendable, Equatable, CustomStringConvertible {
    case write(value: Int64, timestamp: Int64)
    case delete(timestamp: Int64)
    case read

    /// The timestamp of the version that it makes; nil for a read.
    package var timestamp: Int64? {
        switch self {
        case .write(_, let timestamp), .delete(let timestamp): timestamp
        case .read: nil
        }
    }

    package var isDelete: Bool {
        if case .delete = self { true } else { false }
    }

    package var description: String {
        switch self {
        case .write(let value, let timestamp): "write \(value) at timestamp \(timestamp)"
        case .delete(let timestamp): "delete at timestamp \(timestamp)"
        case .read: "read"
        }
    }
}

/// What a client was told.
package enum RowResult: Sendable, Equatable, CustomStringConvertible {
    case acknowledged
    case found(value: Int64, timestamp: Int64)
    case absent

    package var description: String {
        switch self {
        case .acknowledged: "acknowledged"
        case .found(let value, let timestamp): "\(value) of timestamp \(timestamp)"
        case .absent: "no row"
        }
    }
}

/// All operations at QUORUM on one row.
package typealias RowHistory = [Operation<RowAction, RowResult>]
