package import DataModel
package import Primitives
import Storage

/// How the state of a partition is kept in the table `system.paxos`: one row for each table, in a partition whose key is
/// the partition's own, so that it is on the same shard whatever the number of shards.
package struct PaxosTable: Sendable {
    package let id: UUID
    private let promised: UInt16
    private let acceptedBallot: UInt16
    private let accepted: UInt16
    private let committedBallot: UInt16
    private let committed: UInt16
    /// All five, ascending, as cells are written.
    private let columns: [UInt16]

    /// Finds the columns in the table's definition; nil when it is another table's.
    package init?(_ definition: TableDefinition) {
        func id(_ name: String) -> UInt16? { definition.column(named: name)?.id }
        guard let promised = id("in_progress_ballot"), let acceptedBallot = id("proposal_ballot"),
            let accepted = id("proposal"), let committedBallot = id("most_recent_commit_at"),
            let committed = id("most_recent_commit"), definition.clustering.count == 1
        else { return nil }
        self.id = definition.id
        self.promised = promised
        self.acceptedBallot = acceptedBallot
        self.accepted = accepted
        self.committedBallot = committedBallot
        self.committed = committed
        self.columns = [promised, acceptedBallot, accepted, committedBallot, committed].sorted()
    }

    private static let form = ComparableForm(.uuid)

    /// The clustering key of a table's row.
    package func clustering(of table: UUID) throws(InvalidValue) -> [UInt8] {
        var writer = ByteWriter(capacity: 24)
        let bytes: [UInt8] = table.bytes
        try ComparableEncoder.append(bytes.span.bytes, form: PaxosTable.form, descending: false, to: &writer)
        return writer.array()
    }

    // MARK: Reading

    /// A state as it is stored, and the timestamp that the next version of the row has to be written after.
    package struct Stored: Sendable, Equatable {
        package var state = PaxosState()
        package var timestamp: Int64 = 0

        package init() {}
    }

    /// Reads a row. What has expired is not there any more.
    package func read(_ row: RawSpan, now: Int64) throws(DecodingError) -> Stored {
        var stored = Stored()
        var reader = try RowReader(row)
        while let cell = try reader.next() {
            stored.timestamp = max(stored.timestamp, cell.timestamp)
            guard cell.isLive(at: now) else { continue }
            let value = row.extracting(cell.valueOffset..<(cell.valueOffset &+ cell.valueByteCount))
            switch cell.column {
            case promised:
                guard let uuid = UUID(value), let ballot = Ballot(uuid) else {
                    throw .invalid(offset: cell.valueOffset, what: "a ballot that is none")
                }
                stored.state.promised = ballot
            case accepted: stored.state.accepted = try PaxosProposal(decoding: [UInt8](copying: value))
            case committed: stored.state.committed = try PaxosProposal(decoding: [UInt8](copying: value))
            default: break
            }
        }
        return stored
    }

    // MARK: Writing

    /// How long the parts of a state are kept.
    package struct Lifetime: Sendable {
        package let now: Int64
        package let seconds: UInt32

        /// - Parameter graceSeconds: the table's `gc_grace_seconds`.
        package init(now: Int64, graceSeconds: Int) {
            self.now = now
            self.seconds = UInt32(max(Lifetime.minimum, min(Lifetime.maximum, graceSeconds)))
        }

        private static let minimum = 3 * 60 * 60
        private static let maximum = 20 * 365 * 24 * 60 * 60

        var expiry: Int64 { now &+ Int64(seconds) }

        /// A decision is forgotten everywhere at the same time, counted from its origin: a replica that missed it is
        /// brought up to date from it, and must not be when tombstones of later deletions may be gone already.
        func expiry(of decision: PaxosProposal) -> Int64 {
            min(expiry, decision.origin.microseconds / 1_000_000 &+ Int64(seconds))
        }
    }

    /// The mutation that makes the row of a partition say `state` instead of what is stored.
    package func mutation(
        for table: UUID, key: [UInt8], from stored: Stored, to state: PaxosState, _ lifetime: Lifetime
    ) throws(InvalidValue) -> [UInt8] {
        let clustering: [UInt8] = try self.clustering(of: table)
        let timestamp: Int64 = max(stored.timestamp &+ 1, state.floor.microseconds)
        var writer = ByteWriter(capacity: 256 + (state.accepted?.mutation.count ?? 0))
        var mutation = MutationWriter(
            table: id, token: Token(ofKey: key.span.bytes), key: key.span.bytes, to: &writer)
        mutation.beginRows(&writer)
        let start: Int = mutation.beginRow(clustering: clustering.span.bytes, to: &writer)
        var row = RowWriter(marker: nil, baseTimestamp: timestamp, deletion: .none, to: &writer)
        for column in columns {
            guard let change = change(of: column, from: stored.state, to: state, lifetime) else { continue }
            if let value = change.value {
                row.live(
                    column: column, timestamp: timestamp, ttl: lifetime.seconds, expiresSeconds: change.expiry,
                    value: value.span.bytes, to: &writer)
            } else {
                row.tombstone(column: column, timestamp: timestamp, deletedSeconds: lifetime.now, to: &writer)
            }
        }
        row.finish(&writer)
        mutation.endBody(start, &writer)
        mutation.beginRanges(&writer)
        mutation.finish(&writer)
        return writer.array()
    }

    private func change(
        of column: UInt16, from old: PaxosState, to new: PaxosState, _ lifetime: Lifetime
    ) -> (value: [UInt8]?, expiry: Int64)? {
        switch column {
        case promised where old.promised != new.promised: return (new.promised.uuid.bytes, lifetime.expiry)
        case acceptedBallot where old.accepted != new.accepted:
            return (new.accepted?.ballot.uuid.bytes, lifetime.expiry)
        case accepted where old.accepted != new.accepted: return (new.accepted?.encoded, lifetime.expiry)
        case committedBallot where old.committed != new.committed:
            return new.committed.map { ($0.ballot.uuid.bytes, lifetime.expiry(of: $0)) }
        case committed where old.committed != new.committed:
            return new.committed.map { ($0.encoded, lifetime.expiry(of: $0)) }
        default: return nil
        }
    }
}
