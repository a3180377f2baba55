import Administration
import DataModel

/// Hints, in the form of Cassandra's `statushandoff` and `listpendinghints`.
enum HintText {
    static func handoff(_ report: HandoffReport) -> String {
        var text = "Hinted handoff is \(report.isEnabled ? "running" : "not running")\n"
        for datacenter in report.disabledDatacenters { text += "Data center \(datacenter) is disabled\n" }
        return text
    }

    static func pending(_ report: PendingHintsReport, withPorts: Bool) -> String {
        if report.targets.isEmpty { return "This node does not have any pending hints\n" }
        var table = TextTable(separator: " ")
        table.add("Host ID", "Address", "Rack", "DC", "Status", "Total files", "Newest", "Oldest", "Total size")
        for target in report.targets {
            table.add(
                target.id, target.endpoint?.text(withPort: withPorts) ?? "Unknown", target.rack ?? "Unknown",
                target.datacenter ?? "Unknown", target.endpoint == nil ? "Unknown" : target.isUp ? "UP" : "DOWN",
                String(target.fileCount), time(target.newestMicroseconds), time(target.oldestMicroseconds),
                FigureText.byteCount(target.byteCount))
        }
        return table.text()
    }

    /// `yyyy-MM-dd HH:mm:ss,SSS`, in UTC.
    private static func time(_ microseconds: Int?) -> String {
        guard let microseconds else { return "?" }
        let text: String = TimestampText.text(Int64(microseconds / 1_000), separator: " ")
        return String(text.dropLast().map { $0 == "." ? "," : $0 })
    }
}
