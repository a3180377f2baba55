import Administration

/// One node, in the form of Cassandra's `info` and `version`.
enum NodeText {
    static func info(_ report: NodeReport, showsTokens: Bool) -> String {
        var lines: [(String, String)] = [
            ("ID", report.id), ("Gossip active", String(report.isGossiping)),
            ("Native Transport active", String(report.isServingClients)),
            ("Load", FigureText.byteCount(report.loadByteCount)),
            ("Generation No", String(report.isGossiping ? report.generation : 0)),
            ("Uptime (seconds)", String(report.uptimeSeconds)),
        ]
        if let used = report.residentByteCount, let whole = report.memoryByteCount {
            // There is no heap of its own: what counts is what the process has of the machine.
            lines.append(("Heap Memory (MB)", "\(megabytes(used)) / \(megabytes(whole))"))
        }
        lines += [
            ("Data Center", report.datacenter), ("Rack", report.rack), ("Shards", String(report.shardCount)),
            ("Metadata epoch", String(report.epoch)),
        ]
        if let cache = report.cache {
            let requests: Int = cache.hitCount + cache.missCount
            let rate: String =
                requests == 0 ? "NaN" : FigureText.decimal(Double(cache.hitCount) / Double(requests), places: 3)
            lines.append(
                (
                    "Chunk Cache",
                    "entries \(cache.entryCount), size \(FigureText.byteCount(cache.byteCount)), capacity "
                        + "\(FigureText.byteCount(cache.byteLimit)), \(cache.missCount) misses, \(requests) requests, "
                        + "\(rate) hit rate"
                ))
        }
        if let percent = report.percentRepaired { lines.append(("Percent Repaired", "\(percent)%")) }
        if report.tokens.count == 1 || showsTokens {
            lines += report.tokens.map { ("Token", String($0)) }
        } else if report.tokens.isEmpty {
            lines.append(("Token", "(node is not joined to the cluster)"))
        } else {
            lines.append(("Token", "(invoke with -T/--tokens to see all \(report.tokens.count) tokens)"))
        }
        lines += [
            ("Bootstrap state", bootstrapState(report.state)), ("Decommissioning", String(report.state == .leaving)),
        ]
        return lines.map { name, value in TextTable.padded(name, 23) + ": " + value + "\n" }.joined()
    }

    private static func bootstrapState(_ state: RingState) -> String {
        switch state {
        case .joining: "IN_PROGRESS"
        case .left: "DECOMMISSIONED"
        case .normal, .leaving, .moving: "COMPLETED"
        }
    }

    static func version(_ report: VersionReport, isVerbose: Bool) -> String {
        var text = "ReleaseVersion: \(report.release)\n"
        if isVerbose {
            let protocols: String = report.protocols.map { "\($0)/v\($0)" }.joined(separator: ", ")
            text += "CQLVersion: \(report.cql)\nNativeProtocolVersions: \(protocols)\n"
        }
        return text
    }

    private static func megabytes(_ byteCount: Int) -> String {
        FigureText.decimal(Double(byteCount) / 1_048_576, places: 2)
    }
}
