public import CQL
public import Coordination
import DataModel
import Environment
public import Primitives
public import Storage

/// What the hot path made of a request.
public enum FastOutcome {
    /// The body of the response was appended.
    case replied
    /// The write is applied; a Void result may be sent once the log has reached the position.
    case written(LogPosition)
    /// Other nodes have been asked, or what was read is not durable yet; the observer hears of the end, or has already.
    case pending
    /// Another shard has the partition.
    case elsewhere(Int)
    /// Something about the request needs the general way: nothing was done.
    case notFast
}

/// Who waits for requests of the hot path that other nodes take part in, or the log.
public protocol FastObserver: WriteObserver, RowReadObserver {}

/// What the hot paths keep between requests, so that a warm one allocates nothing.
struct FastScratch {
    /// The tables that were used last, with where they are stored on this shard.
    var tables: [ObjectIdentifier: FastTable] = [:]
    var last: FastTable?
    let buffers = FastBuffers()
}

final class FastBuffers {
    /// Where the bound values of the request are: room for the most that a statement can have.
    let values = UnsafeMutablePointer<WireValue>.allocate(capacity: 1 << 16)
    var key = ByteWriter(capacity: 256)
    var clustering = ByteWriter(capacity: 256)
    var mutation = ByteWriter(capacity: 1024)
    var row = ByteWriter(capacity: 1024)

    /// What one large request needed is not kept.
    static let keptByteCount = 256 << 10

    deinit {
        values.deallocate()
    }

    /// Where a bound value is; the index is that of a marker of the statement whose values were located.
    @inline(__always)
    func value(_ index: Int) -> WireValue { unsafe values[index & 0xFFFF] }
}

/// Single-row reads and writes, straight from the bytes of the request to the memtable and into the response.
///
/// Hot: `Benchmarks/InProcess` counts their instructions and allocations.
extension ShardExecutor {
    /// Carries out a prepared single-row write when it is simple enough.
    ///
    /// - Parameters:
    ///   - observer: told of the end when the outcome is `.pending`, perhaps before this returns.
    ///   - tag: what the observer knows the request by.
    public func writeFast(
        _ statement: PreparedStatement, _ parameters: QueryParameters, _ body: RawSpan, version: ProtocolVersion,
        observer: any FastObserver, tag: UInt64
    ) throws -> FastOutcome {
        guard isFast(parameters, version), let write = statement.fastWrite, let table = statement.table else {
            return .notFast
        }
        return try writeFast(write, table, statement, parameters, body, observer, tag)
    }

    /// Carries out a prepared single-row read when it is simple enough.
    ///
    /// - Parameters:
    ///   - observer: told of the end when the outcome is `.pending`, after this has returned.
    ///   - tag: what the observer knows the request by.
    public func readFast(
        _ statement: PreparedStatement, _ parameters: QueryParameters, _ body: RawSpan, version: ProtocolVersion,
        hasOwnMetadata: Bool, observer: any FastObserver, tag: UInt64, into output: inout ByteWriter
    ) throws -> FastOutcome {
        guard isFast(parameters, version), let read = statement.fastRead, let table = statement.table else {
            return .notFast
        }
        let response = FastResponse(version: version, hasOwnMetadata: hasOwnMetadata)
        return try readFast(read, table, statement, parameters, body, response, observer, tag, into: &output)
    }

    /// Of the rare parts only a page size and a serial level change nothing here; v3 has its own idea of unset values.
    @inline(__always)
    private func isFast(_ parameters: QueryParameters, _ version: ProtocolVersion) -> Bool {
        parameters.flags.isSubset(of: FastFlags.known) && version.hasUnsetValues
    }

    private func locate(_ parameters: QueryParameters, _ expected: Int, _ body: RawSpan) throws(CQLError) {
        guard parameters.valueCount == expected else {
            throw .invalid(
                message: "Invalid amount of bind variables: expected \(expected), got \(parameters.valueCount)")
        }
        let values: UnsafeMutablePointer<WireValue> = fast.buffers.values
        var cursor: ValueCursor = parameters.values
        var count = 0
        while count < expected, let value = cursor.next(in: body) {
            unsafe values[count & 0xFFFF] = value
            count &+= 1
        }
        // The request's decoding has walked them all already.
        require(count == expected, "every bound value lies in the body of its request")
    }

    private func fastTable(_ table: CompiledTable) throws(CQLError) -> FastTable {
        if let last = fast.last, last.table === table { return last }
        if let known = fast.tables[ObjectIdentifier(table)] {
            fast.last = known
            return known
        }
        guard let stored = store.table(table.definition.id) else {
            throw .invalid(message: "table \(table.name) does not exist")
        }
        if fast.tables.count > 256 { fast.tables.removeAll() }
        let made = FastTable(table, stored)
        fast.tables[ObjectIdentifier(table)] = made
        fast.last = made
        return made
    }

    /// Puts the partition key and the clustering key into their buffers.
    private func encodeKeys(
        _ partitionKey: [FastValue], _ clustering: [FastValue], _ body: RawSpan
    ) throws(CQLError) {
        let buffers: FastBuffers = fast.buffers
        buffers.key.removeAll(keepingAtMost: FastBuffers.keptByteCount)
        let isComposite: Bool = partitionKey.count > 1
        for value in partitionKey {
            try withBytes(value, body) { bytes throws(CQLError) in
                guard bytes.byteCount <= PartitionKey.maximumByteCount else {
                    throw .invalid(
                        message:
                            "Key length of \(bytes.byteCount) is longer than maximum of \(PartitionKey.maximumByteCount)"
                    )
                }
                if isComposite {
                    PartitionKey.appendComponent(bytes, to: &buffers.key)
                } else {
                    guard bytes.byteCount > 0 else { throw .invalid(message: "Key may not be empty") }
                    buffers.key.write(bytes)
                }
            }
        }
        guard buffers.key.count <= PartitionKey.maximumByteCount else {
            throw .invalid(
                message: "Key length of \(buffers.key.count) is longer than maximum of \(PartitionKey.maximumByteCount)"
            )
        }
        buffers.clustering.removeAll(keepingAtMost: FastBuffers.keptByteCount)
        for value in clustering {
            let column: CompiledColumn = value.column
            try withBytes(value, body) { bytes throws(CQLError) in
                guard bytes.byteCount <= PartitionKey.maximumByteCount else {
                    throw .invalid(
                        message:
                            "The sum of all clustering columns is too long (\(bytes.byteCount) > \(PartitionKey.maximumByteCount))"
                    )
                }
                do throws(InvalidValue) {
                    try ComparableEncoder.append(
                        bytes, form: column.form, descending: column.definition.isDescending, to: &buffers.clustering)
                } catch { throw .invalid(message: error.description) }
            }
        }
    }

    /// Hands over the bytes of a key column, which must have a value.
    private func withBytes(
        _ value: FastValue, _ body: RawSpan, _ use: (RawSpan) throws(CQLError) -> Void
    ) throws(CQLError) {
        switch value.source {
        case .constant(let bytes): try use(bytes.span.bytes)
        case .marker(let index):
            let wire: WireValue = fast.buffers.value(index)
            guard wire.hasBytes else {
                throw .invalid(
                    message: wire.isNull
                        ? "Invalid null value in condition for column \(value.column.name)"
                        : "Invalid unset value for column \(value.column.name)")
            }
            let bytes = body.bytes(of: wire)
            do throws(InvalidValue) {
                try value.column.validator.check(bytes)
            } catch { throw .invalid(message: error.description) }
            try use(bytes)
        }
    }

    // MARK: Writes

    private func writeFast(
        _ write: FastWrite, _ table: CompiledTable, _ statement: PreparedStatement, _ parameters: QueryParameters,
        _ body: RawSpan, _ observer: any FastObserver, _ tag: UInt64
    ) throws -> FastOutcome {
        try locate(parameters, statement.markerNames.count, body)
        try ConsistencyCheck.validateWrite(parameters.consistency, table)
        try encodeKeys(write.partitionKey, write.clustering, body)
        let buffers: FastBuffers = fast.buffers
        let token = Token(ofKey: buffers.key.span)
        let shard: Int = group.slices.shard(of: token)
        if shard != index { return .elsewhere(shard) }
        let place = try fastTable(table)
        let plan = try replicaPlan(of: table, token)
        if plan.isLocalOnly { try checkAlone(plan.writeRule(parameters.consistency), parameters.consistency) }
        let times = try fastTimes(write, table, parameters, body)
        buffers.mutation.removeAll(keepingAtMost: FastBuffers.keptByteCount)
        var mutation = MutationWriter(
            table: table.definition.id, token: token, key: buffers.key.span, to: &buffers.mutation)
        mutation.beginRows(&buffers.mutation)
        let start: Int = mutation.beginRow(clustering: buffers.clustering.span, to: &buffers.mutation)
        var row = RowWriter(
            marker: write.writesMarker ? times.marker : nil, baseTimestamp: times.timestamp, deletion: .none,
            to: &buffers.mutation)
        for index in write.cells.indices { try writeCell(write, index, times, body, &row, buffers) }
        row.finish(&buffers.mutation)
        mutation.endBody(start, &buffers.mutation)
        mutation.beginRanges(&buffers.mutation)
        mutation.finish(&buffers.mutation)
        if plan.isLocalOnly { return .written(try store.apply(buffers.mutation.span, to: place.store)) }
        do {
            try coordination.writes.write(
                buffers.mutation.span, to: place.store, plan, parameters.consistency, .simple,
                timeoutMilliseconds: writeTimeoutMilliseconds, observer: observer, tag: tag)
        } catch let failure as CoordinationFailure { throw cqlError(failure) }
        return .pending
    }

    /// Refuses a level that one replica cannot meet, where there is to be no other.
    @inline(__always)
    private func checkAlone(_ rule: AnswerRule, _ level: Consistency) throws(CQLError) {
        guard !rule.isMet(by: 1), let shortage = rule.shortage(alive: 1) else { return }
        throw .unavailable(level, required: shortage.required, alive: shortage.alive)
    }

    @inline(__always)
    private func writeCell(
        _ write: FastWrite, _ index: Int, _ times: WriteTimes, _ body: RawSpan, _ row: inout RowWriter,
        _ buffers: FastBuffers
    ) throws(CQLError) {
        let cell: FastCell = write.cells[index]
        guard cell.source >= 0 else { return writeConstant(write, cell, times, &row, buffers) }
        let wire: WireValue = buffers.value(Int(cell.source))
        if wire.hasBytes {
            let bytes = body.bytes(of: wire)
            if !ValueValidator.isPlain(bytes, cell.kind) { try check(bytes, write.columns[index]) }
            row.live(
                column: cell.column, timestamp: times.timestamp, ttl: times.timeToLive, expiresSeconds: times.expires,
                value: bytes, to: &buffers.mutation)
        } else if wire.isNull {
            row.tombstone(
                column: cell.column, timestamp: times.timestamp, deletedSeconds: times.nowSeconds,
                to: &buffers.mutation)
        }
    }

    @inline(never)
    private func writeConstant(
        _ write: FastWrite, _ cell: FastCell, _ times: WriteTimes, _ row: inout RowWriter, _ buffers: FastBuffers
    ) {
        let bytes: [UInt8] = write.constants[-1 - Int(cell.source)]
        row.live(
            column: cell.column, timestamp: times.timestamp, ttl: times.timeToLive, expiresSeconds: times.expires,
            value: bytes.span.bytes, to: &buffers.mutation)
    }

    @inline(never)
    private func check(_ bytes: RawSpan, _ column: CompiledColumn) throws(CQLError) {
        do throws(InvalidValue) {
            try column.validator.check(bytes)
        } catch { throw .invalid(message: error.description) }
    }

    private func fastTimes(
        _ write: FastWrite, _ table: CompiledTable, _ parameters: QueryParameters, _ body: RawSpan
    ) throws(CQLError) -> WriteTimes {
        var timestamp: Int64?
        if let source = write.timestamp, let bytes = try fastBytes(source, body, "timestamp") {
            timestamp = try WriteTimes.timestamp(bytes)
        }
        var timeToLive = UInt32(clamping: table.definition.options.defaultTimeToLive)
        if let source = write.timeToLive {
            switch source {
            case .marker(let index) where fast.buffers.value(index).isNull: timeToLive = 0
            default:
                if let bytes = try fastBytes(source, body, "ttl") { timeToLive = try WriteTimes.timeToLive(bytes) }
            }
        }
        let now: Int64 = host.time.wallMicroseconds
        let given: Int64? = parameters.timestamp == QueryParameters.noTimestamp ? nil : parameters.timestamp
        let chosen: Int64 = timestamp ?? given ?? nextTimestamp()
        try timestampLimit.check(chosen, now: now, table)
        return WriteTimes(timestamp: chosen, timeToLive: timeToLive, nowSeconds: now / 1_000_000)
    }

    /// The value of a time; nil when it is unset.
    private func fastBytes(_ source: FastSource, _ body: RawSpan, _ name: String) throws(CQLError) -> [UInt8]? {
        switch source {
        case .constant(let bytes): return bytes
        case .marker(let index):
            if fast.buffers.value(index).isUnset { return nil }
            guard let bytes = body.array(of: fast.buffers.value(index)) else {
                throw .invalid(message: "Invalid null value of \(name)")
            }
            return bytes
        }
    }

    // MARK: Reads

    /// In which form the client gets a row.
    private struct FastResponse {
        let version: ProtocolVersion
        let hasOwnMetadata: Bool
    }

    private func readFast(
        _ read: FastRead, _ table: CompiledTable, _ statement: PreparedStatement, _ parameters: QueryParameters,
        _ body: RawSpan, _ response: FastResponse, _ observer: any FastObserver, _ tag: UInt64,
        into output: inout ByteWriter
    ) throws -> FastOutcome {
        if parameters.flags.contains(.pagingState) { return .notFast }
        try locate(parameters, statement.markerNames.count, body)
        try ConsistencyCheck.validateRead(parameters.consistency)
        try encodeKeys(read.partitionKey, read.clustering, body)
        let buffers: FastBuffers = fast.buffers
        let token = Token(ofKey: buffers.key.span)
        let shard: Int = group.slices.shard(of: token)
        if shard != index { return .elsewhere(shard) }
        let place = try fastTable(table)
        let plan = try replicaPlan(of: table, token)
        let rule: AnswerRule = plan.readRule(parameters.consistency)
        let own: UInt64 = plan.localBit
        // What was only proposed may have to be decided first, also where there is one replica.
        if parameters.consistency.isSerial { return .notFast }
        if plan.isLocalOnly {
            try checkAlone(rule, parameters.consistency)
        } else if own == 0 || !rule.others.isEmpty {
            return .notFast
        } else if !rule.isMet(by: own) {
            return try readWithOthers(
                FastRowRead(read: read, place: place, plan: plan, rule: rule, token: token), statement, parameters,
                body, response, observer, tag)
        }
        let answer = try place.store.readRow(
            token: token, key: buffers.key.span, clustering: buffers.clustering.span, columns: read.columns,
            scratch: &buffers.row)
        if case .needsCursor = answer { return .notFast }
        if !store.isLastReadDurable {
            return try readWhenDurable(
                FastRowRead(read: read, place: place, plan: plan, rule: rule, token: token), answer, statement,
                parameters, body, response, observer, tag)
        }
        try respond(
            answer, read, place, statement, parameters, body, response, now: host.time.wallMicroseconds / 1_000_000,
            into: &output)
        return .replied
    }

    /// A row to be read, and by whom.
    private struct FastRowRead {
        let read: FastRead
        let place: FastTable
        let plan: ReplicaPlan
        let rule: AnswerRule
        let token: Token
    }

    /// Keeps the reply with what this node has read back until that is durable: shown and then lost with the power it
    /// would be a row that was there and was not.
    @inline(never)
    private func readWhenDurable(
        _ row: FastRowRead, _ answer: RowAnswer, _ statement: PreparedStatement, _ parameters: QueryParameters,
        _ body: RawSpan, _ response: FastResponse, _ observer: any FastObserver, _ tag: UInt64
    ) throws -> FastOutcome {
        if store.isLastReadDoubtful { return .notFast }
        guard let pending = coordination.rowReads.take() else { return .notFast }
        do {
            try respond(
                answer, row.read, row.place, statement, parameters, body, response,
                now: host.time.wallMicroseconds / 1_000_000, into: &pending.reply)
        } catch {
            coordination.rowReads.giveBack(pending)
            throw error
        }
        pending.request.write(body)
        coordination.rowReads.wait(
            pending, for: store.lastReadPosition, row.plan, row.rule, observer: observer, tag: tag)
        return .pending
    }

    /// Reads this node's version of the row and asks others whether they have the same.
    private func readWithOthers(
        _ row: FastRowRead, _ statement: PreparedStatement, _ parameters: QueryParameters, _ body: RawSpan,
        _ response: FastResponse, _ observer: any FastObserver, _ tag: UInt64
    ) throws -> FastOutcome {
        let alive: UInt64 = row.plan.alive(coordination.view.liveness)
        if let shortage = row.rule.shortage(alive: alive) {
            throw CQLError.unavailable(parameters.consistency, required: shortage.required, alive: shortage.alive)
        }
        let buffers: FastBuffers = fast.buffers
        let answer = try row.place.store.readRow(
            token: row.token, key: buffers.key.span, clustering: buffers.clustering.span, columns: row.read.columns,
            scratch: &buffers.row)
        let shadow: Deletion = store.lastShadow
        if case .needsCursor = answer { return .notFast }
        if store.isLastReadDoubtful { return .notFast }
        guard let pending = coordination.rowReads.take() else { return .notFast }
        let now: Int64 = host.time.wallMicroseconds / 1_000_000
        let frame = RowDigest.Frame(
            columns: row.read.columns ?? row.place.columns, nowSeconds: now, graceStart: now - row.place.graceSeconds)
        let question = RowReads.Question(
            table: row.place.table.definition.id, token: row.token, plan: row.plan, rule: row.rule,
            speculation: row.place.speculation, timeoutMilliseconds: readTimeoutMilliseconds)
        do {
            try respond(
                answer, row.read, row.place, statement, parameters, body, response, now: now, into: &pending.reply)
            pending.request.write(body)
            var found: UnsafeRawBufferPointer?
            if case .row(let row) = answer { found = row }
            try coordination.rowReads.begin(
                pending, question, row: found, shadow: shadow, position: store.lastReadPosition,
                key: buffers.key.span, clustering: buffers.clustering.span, frame, alive: alive, observer: observer,
                tag: tag)
        } catch {
            coordination.rowReads.giveBack(pending)
            throw error
        }
        return .pending
    }

    /// Appends the body of the response.
    @inline(__always)
    private func respond(
        _ answer: RowAnswer, _ read: FastRead, _ place: FastTable, _ statement: PreparedStatement,
        _ parameters: QueryParameters, _ body: RawSpan, _ response: FastResponse, now: Int64,
        into output: inout ByteWriter
    ) throws {
        var isLive = false
        if case .row(let row) = answer {
            try place.slots.fill(row, now: now)
            isLive = place.slots.isLive
        }
        let count = output.beginRows(
            statement.result, version: response.version, isSkipped: parameters.skipsMetadata,
            isChanged: response.hasOwnMetadata)
        if isLive { writeRow(read, place.slots, body, &output) }
        output.endRows(count, rowCount: isLive ? 1 : 0)
    }

    private func writeRow(_ read: FastRead, _ slots: RowSlots, _ body: RawSpan, _ output: inout ByteWriter) {
        for source in read.outputs {
            switch source {
            case .partitionKey(let index): writeKey(read.partitionKey[index], body, &output)
            case .clustering(let index): writeKey(read.clustering[index], body, &output)
            case .regular(let slot):
                guard slots.values[slot].hasValue else {
                    output.write(Int32(-1))
                    continue
                }
                output.write(Int32(truncatingIfNeeded: slots.values[slot].byteCount))
                output.write(slots.bytes(slot))
            }
        }
    }

    private func writeKey(_ value: FastValue, _ body: RawSpan, _ output: inout ByteWriter) {
        switch value.source {
        case .constant(let bytes):
            output.write(Int32(truncatingIfNeeded: bytes.count))
            output.write(bytes)
        case .marker(let index):
            let bytes = body.bytes(of: fast.buffers.value(index))
            output.write(Int32(truncatingIfNeeded: bytes.byteCount))
            output.write(bytes)
        }
    }
}

/// The parts of a request that the hot path understands.
enum FastFlags {
    static let known: QueryFlags = [.values, .skipMetadata, .pageSize, .serialConsistency, .defaultTimestamp]
}
