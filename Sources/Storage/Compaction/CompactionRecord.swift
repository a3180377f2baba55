import DataModel
import Environment
package import Primitives

/// Why files are written anew.
package enum CompactionKind: String, Sendable, CaseIterable {
    /// The table's strategy, or an operator, wants files merged.
    case compaction
    /// Files are read, checked and written anew.
    case scrub
    /// Files of an earlier form are written in the present one.
    case upgrade
    /// What was overwritten or deleted is left out.
    case garbageCollection
    /// What the node is not to keep any more is left out.
    case cleanup

    /// The word of Cassandra's tools.
    package var word: String {
        switch self {
        case .compaction: "Compaction"
        case .scrub: "Scrub"
        case .upgrade: "Upgrade sstables"
        case .garbageCollection: "Remove deleted data"
        case .cleanup: "Cleanup"
        }
    }
}

/// A compaction that has ended well.
package struct CompactionRecord: Sendable, Hashable {
    package var id: UUID
    package var kind: CompactionKind
    package var keyspace: String
    package var table: String
    package var endedMicroseconds: Int64
    package var inputByteCount: Int
    package var outputByteCount: Int
    /// How many partitions were in how many inputs: by the number of inputs less one.
    package var partitionsByInputCount: [Int]

    init(_ running: ActiveCompaction, _ result: CompactionResult, of table: TableDefinition, at microseconds: Int64) {
        self.id = running.id
        self.kind = running.kind
        self.keyspace = table.keyspace
        self.table = table.name
        self.endedMicroseconds = microseconds
        self.inputByteCount = result.inputByteCount
        self.outputByteCount = result.output?.byteCount ?? 0
        self.partitionsByInputCount = result.partitionsByInputCount
    }
}

/// A compaction that runs.
package struct CompactionProgress: Sendable, Hashable {
    package var id: UUID
    package var kind: CompactionKind
    package var keyspace: String
    package var table: String
    package var shard: Int
    package var inputCount: Int
    /// Bytes of the inputs, and how much of them is done, about.
    package var totalByteCount: Int
    package var doneByteCount: Int
}

extension ShardStore {
    /// Names a piece of background work by the time at which it began.
    func makeTaskID() -> UUID {
        let ticks: Int64 = host.time.wallMicroseconds &* 10 &+ UUID.unixEpoch
        return .timeBased(timestamp: UInt64(bitPattern: ticks), low: host.entropy.next() | 0x0000_0100_0000_0000)
    }

    func tell(_ record: CompactionRecord) {
        whenCompacted?(record)
    }

    /// What compacts now.
    var compactions: [CompactionProgress] {
        tableIDs.compactMap { id in
            guard let table = table(id), let running = table.compaction else { return nil }
            let total: Int = running.run.inputByteCount
            return CompactionProgress(
                id: running.id, kind: running.kind, keyspace: table.definition.keyspace, table: table.definition.name,
                shard: index, inputCount: running.run.inputs.count, totalByteCount: total,
                doneByteCount: min(total, running.run.doneByteCount))
        }
    }

    /// Ends compactions that run, as far as they match.
    func stopCompactions(_ matches: (CompactionProgress) -> Bool) -> Int {
        let chosen: [UUID] = compactions.filter(matches).map(\.id)
        for id in tableIDs {
            if let running = table(id)?.compaction, chosen.contains(running.id) { running.cancel() }
        }
        return chosen.count
    }
}
