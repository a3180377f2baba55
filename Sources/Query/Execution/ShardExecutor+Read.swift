import CQL
import Cluster
import Coordination
import DataModel
import Primitives
import Storage

/// Reads over the replicas, or over this node's shards where it is the only replica.
extension ShardExecutor {
    /// How many partitions are read at once, on all shards together.
    private static let partitionWindow = 32

    /// Takes one page of what a SELECT reads.
    func readStored(_ read: SelectRead, _ plan: SelectPlan, _ context: RequestContext) async throws {
        if let parts = try placedParts(read, plan, context.consistency) {
            return try await ReplicaReading(self, read, plan, context).run(parts)
        }
        context.trace?.addRead(read.commands, of: plan.table)
        defer { context.trace?.addRows(live: read.run.rowCount, tombstones: read.run.tombstoneCount) }
        var next = 0
        while next < read.commands.count {
            if group.executors.count > 1, read.canReadAhead(from: next) {
                let end: Int = min(read.commands.count, next + ShardExecutor.partitionWindow)
                context.trace?.add("Reading \(end - next) partitions")
                if try await readAhead(read, plan, next..<end) { return }
                next = end
            } else {
                if try await readInOrder(read, plan, read.commands[next], context) { return }
                next += 1
            }
        }
        read.isComplete = true
    }

    /// Reads the shards of a command one after the other; true when nothing more is wanted.
    private func readInOrder(
        _ read: SelectRead, _ plan: SelectPlan, _ command: ReadCommand, _ context: RequestContext?
    ) async throws -> Bool {
        for shard in command.partitions.shards(group.slices) {
            let isFull: Bool
            if shard == index {
                isFull = try await readHere(read, plan, command)
            } else {
                context?.trace?.add("Reading from shard \(shard)")
                isFull = try await group.run(on: shard) { executor in
                    try await executor.readHere(read, plan, command)
                }
            }
            if isFull || read.run.isDone { return true }
        }
        return false
    }

    /// Reads some partitions, all shards at once, and puts their rows together in order; true when nothing more is
    /// wanted. What does not fit into the page whole is read once more, up to where the page ends.
    private func readAhead(_ read: SelectRead, _ plan: SelectPlan, _ window: Range<Int>) async throws -> Bool {
        var byShard: [[Int]] = Array(repeating: [], count: group.executors.count)
        for place in window {
            byShard[read.commands[place].partitions.shards(group.slices).lowerBound].append(place)
        }
        var parts: [PartitionPart] = []
        for found in try await group.run(
            byShard, from: self,
            { executor, places in
                try await executor.readParts(read, plan, places)
            })
        {
            parts += found
        }
        parts.sort { $0.place < $1.place }
        for part in parts {
            if try read.run.take(part.run, isCut: part.isCut) {
                if read.run.isPageFull || read.run.isDone { return true }
            } else if try await readInOrder(read, plan, read.commands[part.place], nil) {
                return true
            }
        }
        return false
    }

    /// The rows of one partition of several.
    private struct PartitionPart: Sendable {
        let place: Int
        let run: SelectRun
        /// Whether the partition has more rows than could be of use.
        let isCut: Bool
    }

    private func readParts(
        _ read: SelectRead, _ plan: SelectPlan, _ places: [Int]
    ) async throws -> [PartitionPart] {
        guard let table = store.table(plan.table.definition.id) else {
            throw CQLError.invalid(message: "table \(plan.table.name) does not exist")
        }
        var parts: [PartitionPart] = []
        for place in places {
            let run: SelectRun = read.run.makePart()
            let cursor: ReadCursor = table.cursor(read.commands[place])
            let isCut: Bool = try await read.drive(run, cursor, on: loop)
            try await waitUntilDurable(read, cursor.lastPosition)
            parts.append(PartitionPart(place: place, run: run, isCut: isCut || run.isDone))
        }
        return parts
    }

    /// Reads this shard's part; true when the page is full.
    private func readHere(_ read: SelectRead, _ plan: SelectPlan, _ command: ReadCommand) async throws -> Bool {
        guard let table = store.table(plan.table.definition.id) else {
            throw CQLError.invalid(message: "table \(plan.table.name) does not exist")
        }
        let cursor: ReadCursor = table.cursor(command)
        let isFull: Bool = try await read.drive(cursor, on: loop)
        try await waitUntilDurable(read, cursor.lastPosition)
        return isFull
    }

    /// Returns once what was read is durable up to a place in the log.
    private func waitUntilDurable(_ read: SelectRead, _ position: LogPosition) async throws {
        do {
            try await read.waitUntilDurable(position, in: replica)
        } catch is StorageError {
            throw cqlError(
                .readFailed(
                    read.consistency, received: 0, required: 1, hasData: false,
                    failures: [coordination.view.local: .unknown]))
        }
    }
}
