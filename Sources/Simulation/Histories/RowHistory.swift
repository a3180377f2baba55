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

/// Who sees what: everybody who asks a quorum of all replicas, and everybody who asks a quorum of those in a data centre.
package enum ReadDomain: Hashable, Sendable {
    case cluster
    case datacenter(String)
}

extension RowHistory {
    /// The history as those of a domain may judge it: what was acknowledged by quorums that need not meet theirs may be
    /// seen by them or not, and reads of others do not count.
    ///
    /// - Parameter domains: for each operation, by its number, those that are sure to see what it did, or that it looked for.
    package func seen(by domain: ReadDomain, _ domains: [Int: Set<ReadDomain>]) -> RowHistory {
        compactMap { operation in
            if domains[operation.number]?.contains(domain) ?? false { return operation }
            if operation.action == .read { return nil }
            return Operation(
                number: operation.number, client: operation.client, node: operation.node, action: operation.action,
                invoked: operation.invoked)
        }
    }
}
