import Administration
import Cluster
import DataModel
import Query
import Storage

/// The paths of a node beside those that `AdminRoutes` has by itself. Whatever else nodes learn to do for operators is
/// one more list here; work that takes long is begun with `operations.begin` and put behind `AdminRoute.work`.
extension LiveAdministration {
    var routes: [AdminRoute] {
        operationRoutes + fileRoutes + snapshotRoutes + tableRoutes + statisticsRoutes + settingRoutes + switchRoutes
            + metricsRoutes + repairRoutes + membershipRoutes
    }

    private var operationRoutes: [AdminRoute] {
        [
            .get("/operations") { (request) throws(AdminFailure) in
                if let id = request.parameter("id") {
                    guard let operation = self.operations.find(id) else {
                        throw .invalid("There is no operation \(id).")
                    }
                    return await operation.present().json
                }
                var all: [JSONValue] = []
                for operation in self.operations.known { all.append(await operation.present().json) }
                return .record(["operations": .array(all)])
            },
            .change("/operations/stop") { (request) throws(AdminFailure) in
                guard let id = request.parameter("id"), let operation = self.operations.find(id) else {
                    throw .invalid("There is no operation \(request.parameter("id") ?? "without an id").")
                }
                await operation.stop()
            },
        ]
    }

    // MARK: What requests name

    /// The stored tables that a request names with `keyspace` and any number of `table`, with `keyspaces`, or
    /// with `tables` as `keyspace.table`; all when it names none.
    func chosenTables(_ request: HTTPRequest) throws(AdminFailure) -> [TableDefinition] {
        let schema: Schema = LiveSchema.whole(try current().metadata.schema)
        var chosen: [TableDefinition] = []
        for name in request.parameters("tables") {
            let parts: [Substring] = name.split(separator: ".", maxSplits: 1)
            guard parts.count == 2 else { throw .invalid("\(name) is not KEYSPACE.TABLE.") }
            chosen.append(try LiveAdministration.table(String(parts[0]), String(parts[1]), schema))
        }
        for keyspace in request.parameters("keyspaces") {
            guard schema.keyspace(keyspace) != nil else { throw .invalid("The keyspace \(keyspace) does not exist.") }
            chosen += LiveAdministration.stored(schema).filter { $0.keyspace == keyspace }
        }
        let names: [String] = request.parameters("table")
        if let keyspace = request.parameter("keyspace") {
            guard schema.keyspace(keyspace) != nil else { throw .invalid("The keyspace \(keyspace) does not exist.") }
            if names.isEmpty { chosen += LiveAdministration.stored(schema).filter { $0.keyspace == keyspace } }
            for name in names { chosen.append(try LiveAdministration.table(keyspace, name, schema)) }
            return chosen
        }
        guard names.isEmpty else { throw .invalid("The parameter keyspace is needed.") }
        let namesNone: Bool = request.parameters("tables").isEmpty && request.parameters("keyspaces").isEmpty
        return namesNone ? LiveAdministration.stored(schema) : chosen
    }

    /// The one table that a request names.
    func chosenTable(_ request: HTTPRequest) throws(AdminFailure) -> TableDefinition {
        guard let keyspace = request.parameter("keyspace"), let name = request.parameter("table") else {
            throw .invalid("The parameters keyspace and table are needed.")
        }
        return try LiveAdministration.table(keyspace, name, LiveSchema.whole(try current().metadata.schema))
    }

    /// All tables that are in files.
    static func stored(_ schema: Schema) -> [TableDefinition] {
        schema.sortedKeyspaces.filter { !$0.isVirtual }.flatMap(\.sortedTables).filter {
            !SystemTables.isComputed($0.keyspace, $0.name)
        }
    }

    private static func table(
        _ keyspace: String, _ name: String, _ schema: Schema
    ) throws(AdminFailure) -> TableDefinition {
        guard let definition = schema.keyspace(keyspace) else {
            throw .invalid("The keyspace \(keyspace) does not exist.")
        }
        guard let table = definition.tables[name] else {
            throw .invalid("The table \(keyspace).\(name) does not exist.")
        }
        guard !definition.isVirtual, !SystemTables.isComputed(keyspace, name) else {
            throw .invalid("The table \(keyspace).\(name) is made up on reading: it has no files.")
        }
        return table
    }

    /// Carries something out, with what goes wrong in words.
    func carryOut<Value: Sendable>(
        _ body: () async throws -> Value
    ) async throws(AdminFailure) -> Value {
        do {
            return try await body()
        } catch let failure as AdminFailure {
            throw failure
        } catch {
            throw .unavailable(StorageFailure.words(error))
        }
    }
}

extension JSONValue {
    static func big(_ value: UInt64) -> JSONValue { .number(String(value)) }
    static func big(_ value: Int64) -> JSONValue { .number(String(value)) }
}
