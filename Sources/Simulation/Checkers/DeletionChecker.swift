/// What one replica holds of a row, once everything is quiet.
package struct ReplicaReading: Sendable, Equatable {
    package let node: Int
    package let result: RowResult

    package init(node: Int, result: RowResult) {
        self.node = node
        self.result = result
    }
}

/// Holds what replicas have at the end against the deletions that were acknowledged: nothing older than one is left
/// anywhere, also not where no quorum would show it.
package struct DeletionChecker: Sendable {
    package init() {}

    package func violation(
        _ history: RowHistory, atTheEnd readings: [ReplicaReading], of subject: String
    ) -> Violation? {
        var newest: Operation<RowAction, RowResult>?
        for operation in history where operation.action.isDelete && operation.result == .acknowledged {
            guard let timestamp = operation.action.timestamp else { continue }
            if timestamp > newest?.action.timestamp ?? .min { newest = operation }
        }
        guard let deletion = newest, let deleted = deletion.action.timestamp else { return nil }
        for reading in readings {
            guard case .found(let value, let timestamp) = reading.result, timestamp < deleted else { continue }
            let written: RowHistory = history.filter { $0.action == .write(value: value, timestamp: timestamp) }
            let shown: RowHistory = (written + [deletion]).sorted { $0.invoked < $1.invoked }
            return Violation(
                .nothingDeletedReturns, subject: subject,
                reason: "node \(reading.node) holds at the end what was deleted",
                history: shown.map(\.description) + ["node \(reading.node) at the end: \(reading.result)"])
        }
        return nil
    }
}
