import Administration
import DataModel

/// Distributions, in the form of Cassandra's `tablehistograms` and `proxyhistograms`.
enum HistogramText {
    private static let rows: [(label: String, key: String)] = [
        ("50%", "p50"), ("75%", "p75"), ("95%", "p95"), ("98%", "p98"), ("99%", "p99"), ("Min", "min"), ("Max", "max"),
    ]

    static func tables(_ json: JSONValue) -> String {
        json["tables"].elements.map { table in
            var text = "\(table["keyspace"].plainText)/\(table["table"].plainText) histograms\n"
            text += row(
                "Percentile", ["Read Latency", "Write Latency", "SSTables", "Partition Size", "Cell Count"], 18)
            text += row("", ["(micros)", "(micros)", "", "(bytes)", ""], 18)
            for (label, key) in rows {
                text += row(
                    label,
                    [
                        decimal(table["read_latency_micros"], key), decimal(table["write_latency_micros"], key),
                        decimal(table["sstables_per_read"], key), whole(table["partition_size_bytes"], key),
                        whole(table["cell_count"], key),
                    ], 18)
            }
            return text + "\n"
        }.joined()
    }

    static func proxy(_ json: JSONValue) -> String {
        let columns: [(title: String, key: String)] = [
            ("Read Latency", "read_latency_micros"), ("Write Latency", "write_latency_micros"),
            ("Range Latency", "range_latency_micros"), ("CAS Read Latency", "cas_read_latency_micros"),
            ("CAS Write Latency", "cas_write_latency_micros"),
        ]
        var text = "proxy histograms\n" + row("Percentile", columns.map(\.title), 19)
        text += row("", columns.map { _ in "(micros)" }, 19)
        for (label, key) in rows { text += row(label, columns.map { decimal(json[$0.key], key) }, 19) }
        return text + "\n"
    }

    private static func row(_ label: String, _ cells: [String], _ width: Int) -> String {
        TextTable.padded(label, 10) + cells.map { TextTable.leftPadded($0, width) }.joined() + "\n"
    }

    private static func decimal(_ distribution: JSONValue, _ key: String) -> String {
        distribution == .null ? "NaN" : FigureText.decimal(distribution[key].decimalValue, places: 2)
    }

    private static func whole(_ distribution: JSONValue, _ key: String) -> String {
        distribution == .null ? "NaN" : String(distribution[key].integerValue)
    }
}

/// The busiest partitions, in the form of Cassandra's `toppartitions`.
enum PartitionText {
    static func top(_ json: JSONValue, _ samplers: [String]) -> String {
        let titles: [(sampler: String, key: String, title: String)] = [
            ("READS", "reads", "Frequency of reads by partition"),
            ("WRITES", "writes", "Frequency of writes by partition"),
            ("WRITE_SIZE", "write_size", "Bytes written by partition"),
        ]
        return titles.filter { samplers.contains($0.sampler) }.map { _, key, title in
            var text = title + ":\n"
            let entries: [JSONValue] = json[key]["partitions"].elements
            if entries.isEmpty { return text + "   Nothing recorded during sampling period...\n\n" }
            var table = TextTable(separator: "  ")
            table.add("   Table", "Partition", "Count", "+/-")
            for entry in entries {
                table.add(
                    "   \(entry["keyspace"].plainText).\(entry["table"].plainText)", entry["partition"].plainText,
                    entry["count"].plainText, entry["error"].plainText)
            }
            text += table.text()
            return text + "\n"
        }.joined()
    }
}

/// The ranges of a keyspace, in the form of Cassandra's `describering`.
enum RangeText {
    static func describe(_ json: JSONValue) -> String {
        var text = "Schema Version:\(json["schema_version"].plainText)\nTokenRange: \n"
        for range in json["ranges"].elements {
            let replicas: [JSONValue] = range["replicas"].elements
            let hosts: String = replicas.map { $0["host"].plainText }.joined(separator: ", ")
            let clients: String = replicas.map { $0["rpc_address"].plainText }.joined(separator: ", ")
            let details: [String] = replicas.map { replica in
                "EndpointDetails(host:\(replica["host"].plainText), datacenter:\(replica["datacenter"].plainText), "
                    + "rack:\(replica["rack"].plainText))"
            }
            text += "\tTokenRange(start_token:\(range["start_token"].plainText), "
            text += "end_token:\(range["end_token"].plainText), endpoints:[\(hosts)], rpc_endpoints:[\(clients)], "
            text += "endpoint_details:[\(details.joined(separator: ", "))])\n"
        }
        return text
    }
}
