import Administration
import DataModel

/// Which tables are shown, in what order.
struct TableSelection {
    private let key: String?
    private let limit: Int?

    init(sorting key: String?, top: String?) throws(AdminClientError) {
        self.key = key
        guard let top else {
            limit = nil
            return
        }
        guard let number = Int(top), number > 0 else { throw .invalid("argument for top must be a positive integer.") }
        guard key != nil else { throw .invalid("cannot filter top tables without specifying sort key.") }
        limit = number
    }

    var isSorted: Bool { key != nil }

    /// The answer with `tables_sorted`, when an order is wanted.
    func applied(to json: JSONValue) throws(AdminClientError) -> JSONValue {
        guard let key else { return json }
        var tables: [(name: String, figures: JSONValue)] = []
        for keyspace in json.members {
            for table in keyspace.value["tables"].members {
                tables.append(("\(keyspace.name).\(table.name)", table.value))
            }
        }
        if let first = tables.first, key != "full_table_name", key != "table_name" {
            guard first.figures.members.contains(where: { $0.name == key }) else {
                throw .invalid(
                    "argument for sort must be one of: full_table_name, "
                        + first.figures.members.map(\.name).joined(separator: ", "))
            }
        }
        tables.sort { left, right in
            if key == "full_table_name" || key == "table_name" { return left.name < right.name }
            let a: Double = left.figures[key].decimalValue
            let b: Double = right.figures[key].decimalValue
            return a != b ? a > b : left.name < right.name
        }
        let shown = tables.prefix(limit ?? tables.count).map { JSONValue.Member(name: $0.name, value: $0.figures) }
        return .record([
            "total_number_of_tables": json["total_number_of_tables"], "tables_sorted": .object(Array(shown)),
        ])
    }
}

/// Tables and keyspaces, in the form of Cassandra's `tablestats`, which scripts read.
enum TableStatisticsText {
    private enum Form {
        case count, bytes, milliseconds, ratio, decimal
    }

    private static let figures: [(label: String, key: String, form: Form)] = [
        ("SSTable count", "sstable_count", .count),
        ("Max SSTable size", "max_sstable_size", .bytes),
        ("Space used (live)", "space_used_live", .bytes),
        ("Space used (total)", "space_used_total", .bytes),
        ("Space used by snapshots (total)", "space_used_by_snapshots_total", .bytes),
        ("Off heap memory used (total)", "off_heap_memory_used_total", .bytes),
        ("SSTable Compression Ratio", "sstable_compression_ratio", .ratio),
        ("Number of partitions (estimate)", "number_of_partitions_estimate", .count),
        ("Memtable cell count", "memtable_cell_count", .count),
        ("Memtable data size", "memtable_data_size", .bytes),
        ("Memtable switch count", "memtable_switch_count", .count),
        ("Speculative retries", "speculative_retries", .count),
        ("Local read count", "local_read_count", .count),
        ("Local read latency", "local_read_latency_ms", .milliseconds),
        ("Local write count", "local_write_count", .count),
        ("Local write latency", "local_write_latency_ms", .milliseconds),
        ("Local read/write ratio", "local_read_write_ratio", .ratio),
        ("Pending flushes", "pending_flushes", .count),
        ("Pending compactions", "pending_compactions", .count),
        ("Percent repaired", "percent_repaired", .count),
        ("Bloom filter false positives", "bloom_filter_false_positives", .count),
        ("Bloom filter false ratio", "bloom_filter_false_ratio", .ratio),
        ("Bloom filter space used", "bloom_filter_space_used", .bytes),
        ("Bloom filter and index memory used", "file_memory_used", .bytes),
        ("Compacted partition minimum bytes", "compacted_partition_minimum_bytes", .bytes),
        ("Compacted partition maximum bytes", "compacted_partition_maximum_bytes", .bytes),
        ("Compacted partition mean bytes", "compacted_partition_mean_bytes", .bytes),
        ("Average live cells per slice (since start)", "average_live_cells_per_slice", .decimal),
        ("Maximum live cells per slice (since start)", "maximum_live_cells_per_slice", .count),
        ("Average tombstones per slice (since start)", "average_tombstones_per_slice", .decimal),
        ("Maximum tombstones per slice (since start)", "maximum_tombstones_per_slice", .count),
        ("Droppable tombstone ratio", "droppable_tombstone_ratio", .ratio),
    ]

    static func text(_ json: JSONValue, isHuman: Bool, _ selection: TableSelection) -> String {
        var text = "Total number of tables: \(json["total_number_of_tables"].plainText)\n----------------\n"
        if selection.isSorted {
            for table in json["tables_sorted"].members {
                text += "\tTable: \(table.name)\n" + lines(table.value, isHuman, margin: "\t") + "\n"
            }
            return text + "----------------\n"
        }
        for keyspace in json.members where keyspace.name != "total_number_of_tables" {
            let value: JSONValue = keyspace.value
            text += "Keyspace: \(keyspace.name)\n"
            text += "\tRead Count: \(value["read_count"].plainText)\n"
            text += "\tRead Latency: \(milliseconds(value["read_latency_ms"])) ms\n"
            text += "\tWrite Count: \(value["write_count"].plainText)\n"
            text += "\tWrite Latency: \(milliseconds(value["write_latency_ms"])) ms\n"
            text += "\tPending Flushes: \(value["pending_flushes"].plainText)\n"
            for table in value["tables"].members {
                text += "\t\tTable: \(table.name)\n" + lines(table.value, isHuman, margin: "\t\t") + "\n"
            }
            text += "----------------\n"
        }
        return text
    }

    private static func lines(_ table: JSONValue, _ isHuman: Bool, margin: String) -> String {
        figures.map { figure in
            let value: JSONValue = table[figure.key]
            let shown: String
            switch figure.form {
            case .count: shown = value.plainText
            case .bytes: shown = isHuman ? FigureText.byteCount(value.integerValue) : value.plainText
            case .milliseconds: shown = milliseconds(value) + " ms"
            case .ratio: shown = FigureText.decimal(value.decimalValue, places: 5)
            case .decimal: shown = value == .null ? "NaN" : FigureText.decimal(value.decimalValue, places: 3)
            }
            return "\(margin)\(figure.label): \(shown)\n"
        }.joined()
    }

    /// What was never measured is not a number.
    private static func milliseconds(_ value: JSONValue) -> String {
        value == .null ? "NaN" : FigureText.decimal(value.decimalValue, places: 3)
    }
}
