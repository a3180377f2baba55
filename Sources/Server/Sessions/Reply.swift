import CQL
import Primitives
import Query

/// The body of a RESULT and what goes in front of it.
struct Reply: Sendable {
    enum Body: Sendable {
        case void
        case rows(QueryRows, isSkipped: Bool, isChanged: Bool)
        case setKeyspace(String)
        case prepared(PreparedStatement)
        case schemaChange(SchemaChange)
    }

    var body: Body
    var prefix: ResponsePrefix = .none

    func write(to output: inout ByteWriter, version: ProtocolVersion) {
        switch body {
        case .void: output.writeVoidResult()
        case .rows(let rows, let isSkipped, let isChanged):
            let place = output.beginRows(
                rows.metadata, version: version, pagingState: rows.pagingState,
                isSkipped: isSkipped && !rows.hasOwnMetadata, isChanged: isChanged)
            output.write(rows.bytes)
            output.endRows(place, rowCount: rows.rowCount)
        case .setKeyspace(let name): output.writeSetKeyspaceResult(name)
        case .prepared(let statement):
            output.writePreparedResult(
                statementID: statement.id.bytes, markers: statement.markers, result: statement.result, version: version)
        case .schemaChange(let change): output.writeSchemaChangeResult(change, version: version)
        }
    }
}

extension PreparedStatement {
    /// Whether an identifier that a v5 client sent is that of this statement's result columns.
    ///
    /// Hot: once per EXECUTE of v5.
    func isResult(_ id: RawSpan) -> Bool {
        guard let own = resultID else { return true }
        return StatementID(id) == own
    }
}
