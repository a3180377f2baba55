import CQL

/// What the client of a batch is warned of: batches that are large, or that gain nothing from being batches.
struct BatchWarnings {
    let kind: BatchStatement.Kind
    /// The table of each partition that the batch changed, in order.
    let tables: [CompiledTable]
    /// The size of the batch's mutations together.
    let byteCount: Int
    var limits = QueryLimits()

    /// The warnings in Cassandra's words, which tools look for.
    var texts: [String] {
        let isLarge: Bool = tables.count > 1 && byteCount > limits.batchWarnByteCount
        let isScattered: Bool = kind == .unlogged && tables.count > limits.unloggedBatchPartitionWarnCount
        guard isLarge || isScattered else { return [] }
        let names: [String] = tableNames
        let joined: String = names.joined(separator: ", ")
        var texts: [String] = []
        if isLarge {
            let excess: Int = byteCount - limits.batchWarnByteCount
            texts.append(
                "Batch for [\(joined)] is of size \(BatchWarnings.size(byteCount)), exceeding specified threshold of "
                    + "\(BatchWarnings.size(limits.batchWarnByteCount)) by \(BatchWarnings.size(excess)).")
        }
        if isScattered {
            texts.append(
                "Unlogged batch covering \(tables.count) partitions detected against "
                    + "table\(names.count == 1 ? "" : "s") [\(joined)]. "
                    + "You should use a logged batch for atomicity, or asynchronous writes for performance.")
        }
        return texts
    }

    private var tableNames: [String] {
        var seen: Set<ObjectIdentifier> = []
        return tables.filter { seen.insert(ObjectIdentifier($0)).inserted }.map { $0.keyspace + "." + $0.name }
    }

    /// A size with three digits behind the point, such as `5.000KiB`; whole bytes below that.
    static func size(_ byteCount: Int) -> String {
        let units: [(shift: Int, name: String)] = [(30, "GiB"), (20, "MiB"), (10, "KiB")]
        guard let unit = units.first(where: { byteCount >> $0.shift > 0 }) else { return "\(byteCount)B" }
        let thousandths: Int = (byteCount * 1000 + 1 << (unit.shift - 1)) >> unit.shift
        let digits = String(thousandths % 1000)
        let zeros = String(repeating: "0", count: 3 - digits.count)
        return "\(thousandths / 1000).\(zeros)\(digits)\(unit.name)"
    }
}
