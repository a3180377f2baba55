import Administration
import DataModel

/// Messages between nodes, in the form of Cassandra's `netstats`.
enum NetworkText {
    /// - Parameter flags: of the command, by their first names.
    static func statistics(
        _ report: NetworkReport, _ streams: JSONValue, flags: [String], withPorts: Bool
    ) -> String {
        let isHuman: Bool = flags.contains("-H")
        var text = "Mode: \(report.mode)\n" + StreamText.running(streams, isHuman: isHuman, withPorts: withPorts)
        if let attempted = report.readRepairsAttempted {
            text += "Read Repair Statistics:\nAttempted: \(attempted)\n"
            text += "Mismatch (Blocking): \(report.readRepairsBlocking ?? 0)\n"
            text += "Mismatch (Background): \(report.readRepairsBackground ?? 0)\n"
        }
        if report.pools.isEmpty { return text }
        text += row("Pool Name", "Active", "Pending", "Completed", "Dropped")
        for pool in report.pools {
            text += row(pool.name, "n/a", String(pool.pending), String(pool.completed), String(pool.dropped))
        }
        if flags.contains("-P") { text += "\n" + peers(report, isHuman: isHuman, withPorts) }
        return text
    }

    private static func row(_ name: String, _ active: String, _ pending: String, _ done: String, _ dropped: String)
        -> String
    {
        TextTable.padded(name, 25) + TextTable.leftPadded(active, 10) + TextTable.leftPadded(pending, 10)
            + TextTable.leftPadded(done, 15) + TextTable.leftPadded(dropped, 10) + "\n"
    }

    private static func peers(_ report: NetworkReport, isHuman: Bool, _ withPorts: Bool) -> String {
        func bytes(_ count: Int) -> String { isHuman ? FigureText.byteCount(count) : String(count) }
        var table = TextTable(separator: "  ")
        table.add(
            "Peer", "Lane", "Connections", "Sent", "Sent bytes", "Received", "Received bytes", "Timed out", "Failed",
            "Dropped", "Waiting", "Unsent bytes")
        for peer in report.peers {
            table.add(
                peer.endpoint.text(withPort: withPorts), peer.lane, String(peer.connections),
                String(peer.sentMessages), bytes(peer.sentBytes), String(peer.receivedMessages),
                bytes(peer.receivedBytes), String(peer.timedOut), String(peer.failed), String(peer.dropped),
                String(peer.pendingRequests), bytes(peer.pendingBytes))
        }
        return table.text()
    }
}
