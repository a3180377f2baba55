package import CQL
package import DataModel

/// What DESCRIBE CLUSTER says besides the schema.
package struct ClusterDescription: Sendable, Equatable {
    package var clusterName: String
    /// With or without the package.
    package var partitioner: String
    /// With or without the package.
    package var snitch: String
    /// For the keyspace of the session: the end of each range of the ring, and the nodes that keep it.
    package var rangeOwnership: [String: [String]]

    package init(
        clusterName: String, partitioner: String, snitch: String, rangeOwnership: [String: [String]] = [:]
    ) {
        self.clusterName = clusterName
        self.partitioner = partitioner
        self.snitch = snitch
        self.rangeOwnership = rangeOwnership
    }
}

/// The rows of a DESCRIBE statement. All of them; whoever sends them cuts them into pages.
package struct DescribeResult: Equatable, Sendable {
    /// The keyspace and table that the columns claim to come from.
    package static let keyspace = "system"
    package static let table = "describe"

    package struct Column: Equatable, Sendable {
        package let name: String
        package let type: CQLType
    }

    package let columns: [Column]
    /// Values in the native protocol's form.
    package let rows: [[[UInt8]]]
}

/// Answers DESCRIBE from a schema that holds the keyspaces of the system too.
package struct SchemaDescriber {
    private let schema: Schema
    private let sessionKeyspace: String?
    private let cluster: ClusterDescription

    package init(schema: Schema, sessionKeyspace: String?, cluster: ClusterDescription) {
        self.schema = schema
        self.sessionKeyspace = sessionKeyspace
        self.cluster = cluster
    }

    /// One thing in the schema.
    private struct Element {
        let keyspace: String
        let kind: String
        let name: String
        /// Nil for lists, which show names alone.
        let statement: String?

        var row: [[UInt8]] {
            let texts: [String] =
                [CQLIdentifier.quotedIfNeeded(keyspace), kind, CQLIdentifier.quotedIfNeeded(name)]
                + (statement.map { [$0] } ?? [])
            return texts.map { Array($0.utf8) }
        }
    }

    /// - Throws: an invalid-request error that names what is not there.
    package func describe(_ statement: DescribeStatement) throws(CQLError) -> DescribeResult {
        let internals: Bool = statement.withInternals
        switch statement.target {
        case .cluster: return describeCluster()
        case .schema(let isFull):
            let keyspaces: [KeyspaceDefinition] = allKeyspaces.filter {
                isFull || !SystemKeyspaceNames.isSystem($0.name)
            }
            return elements(keyspaces.flatMap { contents(of: $0, withInternals: internals) })
        case .keyspaces:
            return list(
                allKeyspaces.map { Element(keyspace: $0.name, kind: "keyspace", name: $0.name, statement: nil) })
        case .keyspace(let name, let isOnly):
            let keyspace = try keyspace(name)
            return elements(
                isOnly ? [element(keyspace)] : contents(of: keyspace, withInternals: internals))
        case .tables: return list(try listed(kind: "table") { $0.tables.values.map(\.name) })
        case .types: return list(try listed(kind: "type") { $0.types.values.map(\.name) })
        case .functions, .aggregates: return list(try listed(kind: "") { _ in [] })
        case .table(let name):
            return elements([try tableElement(name.name, in: try keyspace(name.keyspace), withInternals: internals)])
        case .type(let name):
            let keyspace = try keyspace(name.keyspace)
            guard let type = keyspace.types[name.name] else {
                throw missing("User defined type", name.name, keyspace)
            }
            return elements([element(type)])
        case .index(let name):
            throw missing("Table for existing index", name.name, try keyspace(name.keyspace))
        case .view(let name): throw missing("Materialized view", name.name, try keyspace(name.keyspace))
        case .function(let name): throw missing("User defined function", name.name, try keyspace(name.keyspace))
        case .aggregate(let name): throw missing("User defined aggregate", name.name, try keyspace(name.keyspace))
        case .anything(let name): return try describeAnything(name, withInternals: internals)
        }
    }

    private var allKeyspaces: [KeyspaceDefinition] {
        sorted(Array(schema.keyspaces.values)) { $0.name }
    }

    private func keyspace(_ name: String?) throws(CQLError) -> KeyspaceDefinition {
        guard let name = name ?? sessionKeyspace else {
            throw .invalid(message: "No keyspace specified and no current keyspace")
        }
        guard let keyspace = schema.keyspaces[name] else {
            throw .invalid(message: "'\(name)' not found in keyspaces")
        }
        return keyspace
    }

    private func missing(_ what: String, _ name: String, _ keyspace: KeyspaceDefinition) -> CQLError {
        .invalid(message: "\(what) '\(name)' not found in '\(keyspace.name)'")
    }

    /// A keyspace, or a table of the session's keyspace: whichever is there first.
    private func describeAnything(_ name: QualifiedName, withInternals: Bool) throws(CQLError) -> DescribeResult {
        if name.keyspace == nil, let keyspace = schema.keyspaces[name.name] {
            return elements(contents(of: keyspace, withInternals: withInternals))
        }
        let keyspace = try keyspace(name.keyspace ?? sessionKeyspace ?? name.name)
        guard keyspace.tables[name.name] != nil else {
            throw .invalid(message: "'\(name.name)' not found in keyspace '\(keyspace.name)'")
        }
        return elements([try tableElement(name.name, in: keyspace, withInternals: withInternals)])
    }

    private func contents(of keyspace: KeyspaceDefinition, withInternals: Bool) -> [Element] {
        var contents: [Element] = [element(keyspace)]
        contents += keyspace.typesInDependencyOrder.map { element($0) }
        contents += sorted(Array(keyspace.tables.values)) { $0.name }
            .map { element($0, in: keyspace, withInternals: withInternals) }
        return contents
    }

    private func element(_ keyspace: KeyspaceDefinition) -> Element {
        Element(
            keyspace: keyspace.name, kind: "keyspace", name: keyspace.name,
            statement: CreateStatementText.keyspace(keyspace))
    }

    private func element(_ type: UserDefinedType) -> Element {
        Element(keyspace: type.keyspace, kind: "type", name: type.name, statement: CreateStatementText.type(type))
    }

    private func element(_ table: TableDefinition, in keyspace: KeyspaceDefinition, withInternals: Bool) -> Element {
        Element(
            keyspace: keyspace.name, kind: "table", name: table.name,
            statement: CreateStatementText.table(
                table, isVirtual: keyspace.isVirtual, withInternals: withInternals))
    }

    private func tableElement(
        _ name: String, in keyspace: KeyspaceDefinition, withInternals: Bool
    ) throws(CQLError) -> Element {
        guard let table = keyspace.tables[name] else {
            throw .invalid(message: "Table '\(name)' not found in keyspace '\(keyspace.name)'")
        }
        return element(table, in: keyspace, withInternals: withInternals)
    }

    /// The names of one kind of thing in the session's keyspace, or in all when there is none.
    private func listed(
        kind: String, _ names: (KeyspaceDefinition) -> [String]
    ) throws(CQLError) -> [Element] {
        let keyspaces: [KeyspaceDefinition] = sessionKeyspace == nil ? allKeyspaces : [try keyspace(nil)]
        return keyspaces.flatMap { keyspace in
            sorted(names(keyspace)) { $0 }
                .map { Element(keyspace: keyspace.name, kind: kind, name: $0, statement: nil) }
        }
    }

    /// By name whatever the case; names that differ in nothing else keep a fixed order.
    private func sorted<Item>(_ items: [Item], by name: (Item) -> String) -> [Item] {
        items.sorted { left, right in
            let leftName: String = name(left)
            let rightName: String = name(right)
            let leftFolded: String = leftName.lowercased()
            let rightFolded: String = rightName.lowercased()
            if leftFolded == rightFolded { return leftName.utf8.lexicographicallyPrecedes(rightName.utf8) }
            return leftFolded.utf8.lexicographicallyPrecedes(rightFolded.utf8)
        }
    }

    private static let listColumns: [DescribeResult.Column] = ["keyspace_name", "type", "name"]
        .map { DescribeResult.Column(name: $0, type: .text) }

    private func list(_ elements: [Element]) -> DescribeResult {
        DescribeResult(columns: SchemaDescriber.listColumns, rows: elements.map(\.row))
    }

    private func elements(_ elements: [Element]) -> DescribeResult {
        DescribeResult(
            columns: SchemaDescriber.listColumns + [DescribeResult.Column(name: "create_statement", type: .text)],
            rows: elements.map(\.row))
    }

    private func describeCluster() -> DescribeResult {
        func trimmed(_ name: String, _ package: String) -> String {
            name.hasPrefix(package) ? String(name.dropFirst(package.count)) : name
        }
        var columns: [DescribeResult.Column] = ["cluster", "partitioner", "snitch"]
            .map { DescribeResult.Column(name: $0, type: .text) }
        let texts: [String] = [
            cluster.clusterName, trimmed(cluster.partitioner, "org.apache.cassandra.dht."),
            trimmed(cluster.snitch, "org.apache.cassandra.locator."),
        ]
        var row: [[UInt8]] = texts.map { Array($0.utf8) }
        if let sessionKeyspace, !SystemKeyspaceNames.isSystem(sessionKeyspace) {
            let nodes: CQLType = .list(.text, isMultiCell: false)
            columns.append(
                DescribeResult.Column(name: "range_ownership", type: .map(.text, nodes, isMultiCell: false)))
            let entries: [(key: [UInt8], value: [UInt8])] = cluster.rangeOwnership.map { token, nodes in
                (key: Array(token.utf8), value: CollectionValue.list(nodes.map { Array($0.utf8) }))
            }
            row.append(CollectionValue.map(entries, keyType: .text))
        }
        return DescribeResult(columns: columns, rows: [row])
    }
}
