package import DataModel

/// The statements that would make parts of a schema again, as DESCRIBE shows them.
///
/// They are Cassandra 5.0's to the character: the order and the spelling of the options, the blanks and the quotes.
/// Tools compare them.
package enum CreateStatementText {
    private static let locatorPackage = "org.apache.cassandra.locator."

    package static func keyspace(_ keyspace: KeyspaceDefinition) -> String {
        let name: String = CQLIdentifier.quotedIfNeeded(keyspace.name)
        if keyspace.isVirtual {
            return "/*\nWarning: Keyspace \(name) is a virtual keyspace and cannot be recreated with CQL.\n"
                + "Structure, for reference:\nVIRTUAL KEYSPACE \(name);\n*/"
        }
        var className: String = keyspace.replication["class"] ?? ""
        if className.hasPrefix(locatorPackage) { className = String(className.dropFirst(locatorPackage.count)) }
        var options: String = "{'class': " + StatementText.quoted(className)
        for key in keyspace.replication.keys.sorted() where key != "class" {
            options += ", \(StatementText.quoted(key)): \(StatementText.quoted(keyspace.replication[key] ?? ""))"
        }
        // Both blanks before AND are there in the original.
        return "CREATE KEYSPACE \(name) WITH replication = \(options)}  AND durable_writes = \(keyspace.durableWrites);"
    }

    package static func type(_ type: UserDefinedType) -> String {
        let fields: [String] = zip(type.fieldNames, type.fieldTypes).map { name, fieldType in
            "    \(CQLIdentifier.quotedIfNeeded(name)) \(fieldType.cqlName)"
        }
        return "CREATE TYPE \(CQLIdentifier.quotedIfNeeded(type.keyspace)).\(CQLIdentifier.quotedIfNeeded(type.name))"
            + " (\n" + fields.joined(separator: ",\n") + "\n);"
    }

    /// - Parameters:
    ///   - isVirtual: whether the table can only be shown, inside a comment.
    ///   - withInternals: whether the id and the columns that were dropped are shown too.
    package static func table(_ table: TableDefinition, isVirtual: Bool, withInternals: Bool) -> String {
        var builder = TableText(table: table, isVirtual: isVirtual, withInternals: withInternals)
        return builder.build()
    }
}

/// The text of one table.
private struct TableText {
    let table: TableDefinition
    let isVirtual: Bool
    let withInternals: Bool
    private var text = StatementText()
    private let shownName: String

    init(table: TableDefinition, isVirtual: Bool, withInternals: Bool) {
        self.table = table
        self.isVirtual = isVirtual
        self.withInternals = withInternals
        self.shownName =
            "\(CQLIdentifier.quotedIfNeeded(table.keyspace)).\(CQLIdentifier.quotedIfNeeded(table.name))"
    }

    mutating func build() -> String {
        if isVirtual {
            text.append(
                "/*\nWarning: Table \(shownName) is a virtual table and cannot be recreated with CQL.\n"
                    + "Structure, for reference:\n")
        }
        text.append("\(isVirtual ? "VIRTUAL" : "CREATE") TABLE \(shownName) (")
        text.newLine()
        text.indent()
        let isSingleKey: Bool = table.partitionKey.count == 1 && table.clustering.isEmpty
        appendColumns(isSingleKey: isSingleKey)
        if !isSingleKey { appendPrimaryKey() }
        text.outdent()
        text.append(") WITH ")
        text.indent()
        appendOptions()
        text.outdent()
        if isVirtual {
            text.newLine()
            text.append("*/")
        }
        if withInternals { appendDroppedColumns() }
        return text.text
    }

    /// With internals, a column that was dropped and came back is shown as it was before; the statements after the
    /// table drop it and add it again.
    private mutating func appendColumns(isSingleKey: Bool) {
        let columns: [ColumnDefinition] = columnsInOrder
        let dropped: [DroppedColumn] = withInternals ? table.droppedColumns : []
        for (index, column) in columns.enumerated() where !dropped.contains(where: { $0.name == column.name }) {
            text.append(declaration(column.name, column.type, column.kind))
            if isSingleKey, column.kind == .partitionKey { text.append(" PRIMARY KEY") }
            if !isSingleKey || !dropped.isEmpty || index < columns.count - 1 { text.append(",") }
            text.newLine()
        }
        for (index, column) in dropped.enumerated() {
            text.append(declaration(column.name, column.type, column.kind))
            if !isSingleKey || index < dropped.count - 1 { text.append(",") }
            text.newLine()
        }
    }

    /// The keys, the static columns, the regular ones; of either of these, those of one cell come first.
    private var columnsInOrder: [ColumnDefinition] {
        func sorted(_ columns: [ColumnDefinition]) -> [ColumnDefinition] {
            columns.filter { !$0.type.isMultiCell } + columns.filter(\.type.isMultiCell)
        }
        return table.partitionKey + table.clustering + sorted(table.statics) + sorted(table.regulars)
    }

    private func declaration(_ name: String, _ type: CQLType, _ kind: ColumnKind) -> String {
        "\(CQLIdentifier.quotedIfNeeded(name)) \(type.cqlName)\(kind == .static ? " static" : "")"
    }

    private mutating func appendPrimaryKey() {
        let partition: String = table.partitionKey.map { CQLIdentifier.quotedIfNeeded($0.name) }
            .joined(separator: ", ")
        var parts: [String] = [table.partitionKey.count > 1 ? "(\(partition))" : partition]
        parts += table.clustering.map { CQLIdentifier.quotedIfNeeded($0.name) }
        text.append("PRIMARY KEY (\(parts.joined(separator: ", ")))")
        text.newLine()
    }

    private mutating func appendOptions() {
        var options: [String] = []
        if withInternals { options.append("ID = \(table.id)") }
        if !table.clustering.isEmpty {
            let ordering: String = table.clustering
                .map { "\(CQLIdentifier.quotedIfNeeded($0.name)) \($0.isDescending ? "DESC" : "ASC")" }
                .joined(separator: ", ")
            options.append("CLUSTERING ORDER BY (\(ordering))")
        }
        options +=
            isVirtual ? ["comment = \(StatementText.quoted(table.options.comment))"] : table.options.statementTexts
        for (index, option) in options.enumerated() {
            if index > 0 {
                text.newLine()
                text.append("AND ")
            }
            text.append(option)
        }
        text.append(";")
    }

    private mutating func appendDroppedColumns() {
        for dropped in table.droppedColumns {
            text.newLine()
            text.append(
                "ALTER TABLE \(shownName) DROP \(CQLIdentifier.quotedIfNeeded(dropped.name)) "
                    + "USING TIMESTAMP \(dropped.droppedAt);")
            guard let column = table.column(named: dropped.name) else { continue }
            text.newLine()
            text.append("ALTER TABLE \(shownName) ADD \(declaration(column.name, column.type, column.kind));")
        }
    }
}

extension TableOptions {
    /// Each option as `name = value`, in the order in which they are shown.
    fileprivate var statementTexts: [String] {
        let shownExtensions: [String] = extensions.keys.filter { $0 != TableOptions.tombstoneGCName }.sorted()
        let extensionEntries: [String] = shownExtensions.map { key in
            "\(StatementText.quoted(key)): 0x\((extensions[key] ?? []).hexadecimalText)"
        }
        return [
            "additional_write_policy = \(StatementText.quoted(additionalWritePolicy))",
            "allow_auto_snapshot = \(allowAutoSnapshot)",
            "bloom_filter_fp_chance = \(JavaText.double(bloomFilterFalsePositiveChance))",
            "caching = \(StatementText.map(caching))",
            "cdc = \(cdc)",
            "comment = \(StatementText.quoted(comment))",
            "compaction = \(StatementText.map(compaction))",
            "compression = \(StatementText.map(compression))",
            "memtable = \(StatementText.quoted(memtable))",
            "crc_check_chance = \(JavaText.double(crcCheckChance))",
            "default_time_to_live = \(defaultTimeToLive)",
            "extensions = {\(extensionEntries.joined(separator: ", "))}",
            "gc_grace_seconds = \(gcGraceSeconds)",
            "incremental_backups = \(incrementalBackups)",
            "max_index_interval = \(maxIndexInterval)",
            "memtable_flush_period_in_ms = \(memtableFlushPeriodMilliseconds)",
            "min_index_interval = \(minIndexInterval)",
            "read_repair = \(StatementText.quoted(readRepair))",
            "speculative_retry = \(StatementText.quoted(speculativeRetry))",
        ] + (tombstoneGC.isEmpty ? [] : ["tombstone_gc = \(StatementText.map(tombstoneGC))"])
    }
}

extension [UInt8] {
    /// Two lower-case digits for each byte.
    fileprivate var hexadecimalText: String {
        let digits = [Character]("0123456789abcdef")
        var text = ""
        for byte in self {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return text
    }
}
