import CQL
import Cluster
import DataModel
import Environment
import Primitives
import Query

/// One request on its way through the general path: decoded, carried out, made into a reply.
struct RequestRun {
    private let session: Session
    private let header: FrameHeader
    private let whole: [UInt8]
    private let version: ProtocolVersion
    private let running: RunningRequest
    private let isDrawn: Bool

    /// - Parameter isDrawn: whether it is traced although the client has not asked for it, and is not told.
    init(_ session: Session, _ header: FrameHeader, _ body: [UInt8], _ running: RunningRequest, isDrawn: Bool) {
        self.session = session
        self.running = running
        self.header = header
        self.whole = body
        self.version = session.version
        self.isDrawn = isDrawn
    }

    private var executor: ShardExecutor { session.executor }

    func answer() async throws -> Reply {
        let (body, payload) = try messageBody()
        let isAsked: Bool = header.flags.contains(.tracing)
        let trace: RequestTrace? = isAsked || isDrawn ? executor.makeTrace() : nil
        var told = TracedRequest(client: session.connection?.remoteAddress.host ?? [127, 0, 0, 1])
        do {
            var reply = try await carryOut(body, trace, &told)
            if let trace { executor.keep(trace, of: told) }
            if isAsked { reply.prefix.tracingID = trace?.id }
            reply.prefix.customPayload = payload
            return reply
        } catch {
            if let trace { executor.keep(trace, of: told) }
            throw error
        }
    }

    /// The body, and the custom payload that v4 and later may put in front of it: the client gets that back as it is.
    private func messageBody() throws -> (body: [UInt8], payload: [String: [UInt8]?]) {
        guard header.flags.contains(.customPayload) else { return (whole, [:]) }
        let body: [UInt8] = try whole.withUnsafeBytes { bytes in
            [UInt8](try Envelope(header: header, body: bytes).requestBody())
        }
        let all: [UInt8] = whole
        var reader = ByteReader(all.span.bytes)
        return (body, try reader.readBytesMap())
    }

    private func carryOut(_ body: [UInt8], _ trace: RequestTrace?, _ told: inout TracedRequest) async throws -> Reply {
        switch header.opcode {
        case .query: return try await query(body, trace, &told)
        case .prepare: return try await prepare(body, trace, &told)
        case .execute: return try await execute(body, trace, &told)
        case .batch: return try await batch(body, trace, &told)
        default: throw CQLError.protocolError(message: "Unexpected message \(header.opcode.name)")
        }
    }

    private func query(_ body: [UInt8], _ trace: RequestTrace?, _ told: inout TracedRequest) async throws -> Reply {
        let request = try QueryRequest(decoding: body.span.bytes, version: version)
        let text: String = try body.span.bytes.text(of: request.query)
        running.text = text
        let context = try self.context(request.parameters, body, trace)
        told.request = "Execute CQL3 query"
        told.parameters = parameters(text, context)
        trace?.add("Parsing \(text)")
        let statement = try executor.parse(text, keyspace: context.keyspace)
        trace?.add("Preparing statement")
        let values = try self.values(request.parameters, body, statement)
        executor.requests.noteStatement(isPrepared: false)
        let result = try await executor.measured(statement, context) {
            try await executor.execute(statement, values, context)
        }
        return reply(result, isSkipped: request.parameters.skipsMetadata, isChanged: false)
    }

    private func prepare(_ body: [UInt8], _ trace: RequestTrace?, _ told: inout TracedRequest) async throws -> Reply {
        let request = try PrepareRequest(decoding: body.span.bytes, version: version)
        let text: String = try body.span.bytes.text(of: request.query)
        running.text = text
        told.request = "Preparing CQL3 query"
        told.parameters = [("query", text)]
        let keyspace: String? =
            request.keyspace.hasBytes ? try body.span.bytes.text(of: request.keyspace) : session.keyspace
        trace?.add("Preparing statement")
        let statement = try await executor.prepare(text, keyspace: keyspace)
        var reply = Reply(body: .prepared(statement))
        if !request.keyspace.hasBytes, let name = statement.keyspace {
            reply.prefix.warnings = [
                "The statement names no keyspace and was prepared in \(name), the keyspace of this connection's last USE. "
                    + "On a connection with another keyspace it is another statement: name the keyspace in the statement."
            ]
        }
        return reply
    }

    private func execute(_ body: [UInt8], _ trace: RequestTrace?, _ told: inout TracedRequest) async throws -> Reply {
        let request = try ExecuteRequest(decoding: body.span.bytes, version: version)
        let statement = try prepared(body, request.statementID)
        running.text = statement.text
        let context = try self.context(request.parameters, body, trace)
        told.request = "Execute CQL3 prepared query"
        told.parameters = parameters(statement.text, context)
        let values = try self.values(request.parameters, body, statement)
        executor.requests.noteStatement(isPrepared: true)
        let result = try await executor.measured(statement, context) {
            try await executor.execute(statement, values, context)
        }
        let isChanged: Bool =
            version.hasResultMetadataID && !statement.isResult(body.span.bytes.bytes(of: request.resultMetadataID))
        return reply(result, isSkipped: request.parameters.skipsMetadata, isChanged: isChanged)
    }

    private func prepared(_ body: [UInt8], _ place: WireValue) throws -> PreparedStatement {
        let span = body.span.bytes
        guard let id = StatementID(span.bytes(of: place)), let statement = executor.prepared(id) else {
            throw CQLError.unprepared(statementID: span.array(of: place) ?? [])
        }
        return statement
    }

    private func batch(_ body: [UInt8], _ trace: RequestTrace?, _ told: inout TracedRequest) async throws -> Reply {
        let request = try BatchRequest(decoding: body.span.bytes, version: version)
        let context = try self.context(request.parameters, body, trace)
        running.text = "BATCH of \(request.statementCount) statements"
        told.request = "Execute batch of CQL3 queries"
        told.parameters = parameters("", context)
        if request.parameters.hasNames {
            throw CQLError.protocolError(message: "Values with names are not possible in a BATCH message")
        }
        var statements: [(plan: ModificationPlan, values: [TermValue])] = []
        var cursor = request.statements(version: version)
        while let entry = cursor.next(in: body.span.bytes) {
            let statement =
                entry.isPrepared
                ? try prepared(body, entry.queryOrID)
                : try executor.parse(try body.span.bytes.text(of: entry.queryOrID), keyspace: context.keyspace)
            guard case .modification(let plan) = statement.plan else {
                throw CQLError.invalid(
                    message: "Invalid statement in batch: only UPDATE, INSERT and DELETE statements are allowed.")
            }
            guard entry.valueCount == statement.markerNames.count else {
                throw CQLError.invalid(
                    message:
                        "There were \(statement.markerNames.count) markers(?) in CQL but \(entry.valueCount) bound variables"
                )
            }
            statements.append((plan, termValues(entry.values, body)))
        }
        let kind: CQL.BatchStatement.Kind =
            switch request.type {
            case .logged: .logged
            case .unlogged: .unlogged
            case .counter: .counter
            }
        let result = try await executor.measured(nil, context) {
            try await executor.modify(statements, kind: kind, context)
        }
        return reply(result, isSkipped: false, isChanged: false)
    }

    // MARK: Pieces

    private func context(_ parameters: QueryParameters, _ body: [UInt8], _ trace: RequestTrace?) throws
        -> RequestContext
    {
        let span = body.span.bytes
        return RequestContext(
            consistency: parameters.consistency, serialConsistency: parameters.serialConsistency,
            pageSize: Int(parameters.pageSize), pagingState: span.array(of: parameters.pagingState),
            timestamp: parameters.timestamp == QueryParameters.noTimestamp ? nil : parameters.timestamp,
            nowSeconds: parameters.nowInSeconds == QueryParameters.noNow ? nil : Int64(parameters.nowInSeconds),
            keyspace: parameters.keyspace.hasBytes ? try span.text(of: parameters.keyspace) : session.keyspace,
            trace: trace)
    }

    private func values(
        _ parameters: QueryParameters, _ body: [UInt8], _ statement: PreparedStatement
    ) throws -> [TermValue] {
        guard parameters.hasNames else {
            guard parameters.valueCount == statement.markerNames.count else {
                throw CQLError.invalid(message: "Invalid amount of bind variables")
            }
            return termValues(parameters.values, body)
        }
        let names: [String] = try parameters.values.names(in: body.span.bytes)
        let given: [TermValue] = termValues(parameters.values, body)
        var byName: [String: TermValue] = [:]
        for (name, value) in zip(names, given) { byName[name] = value }
        var values: [TermValue] = []
        for name in statement.markerNames {
            guard let value = byName[name] else {
                throw CQLError.invalid(message: "Invalid amount of bind variables")
            }
            values.append(value)
        }
        return values
    }

    /// Before v4 there are no unset values: every negative length is null.
    private func termValues(_ cursor: ValueCursor, _ body: [UInt8]) -> [TermValue] {
        cursor.all(in: body.span.bytes).map { value in
            if value.isUnset, version.hasUnsetValues { return .unset }
            return body.span.bytes.array(of: value).map(TermValue.bytes) ?? .null
        }
    }

    private func parameters(_ query: String, _ context: RequestContext) -> [(String, String)] {
        [
            ("consistency_level", context.consistency.name), ("page_size", String(max(0, context.pageSize))),
            ("query", query), ("serial_consistency_level", context.serialConsistency.name),
        ]
    }

    private func reply(_ result: QueryResult, isSkipped: Bool, isChanged: Bool) -> Reply {
        let body: Reply.Body =
            switch result.kind {
            case .void: .void
            case .rows(let rows):
                .rows(
                    rows, isSkipped: isSkipped,
                    isChanged: isChanged || rows.hasOwnMetadata && isSkipped && version.hasResultMetadataID)
            case .setKeyspace(let name): .setKeyspace(name)
            case .schemaChange(let change): .schemaChange(change)
            }
        return Reply(body: body, prefix: ResponsePrefix(warnings: result.warnings))
    }
}
