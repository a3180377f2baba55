import Administration

/// The nodes of the ring, in the form of Cassandra's `status` and `ring`, which scripts read.
enum RingText {
    static func status(_ report: RingReport, withPorts: Bool, _ sorting: RingSorting = .usual) -> String {
        // A node with one token shows it; with several, their number.
        let hasOneToken: Bool = !report.nodes.isEmpty && report.nodes.allSatisfy { $0.tokens.count == 1 }
        let owns: String = report.isOwnershipEffective ? "Owns (effective)" : "Owns"
        var tables: [TextTable] = []
        for datacenter in report.datacenters {
            var table = TextTable(separator: "  ")
            if hasOneToken {
                table.add("--", "Address", "Load", owns, "Host ID", "Token", "Rack")
            } else {
                table.add("--", "Address", "Load", "Tokens", owns, "Host ID", "Rack")
            }
            for node in sorting.sorted(report.nodes.filter { $0.datacenter == datacenter }) {
                let letters: String = (node.isUp ? "U" : "D") + String(node.state.letter)
                let load: String = node.loadByteCount.map(FigureText.byteCount) ?? "?"
                let owned: String = node.owned.map { FigureText.percent($0, places: 1) } ?? "?"
                let address: String = node.endpoint.text(withPort: withPorts)
                if hasOneToken {
                    table.add(letters, address, load, owned, node.id, String(node.tokens[0]), node.rack)
                } else {
                    table.add(letters, address, load, String(node.tokenCount), owned, node.id, node.rack)
                }
            }
            tables.append(table)
        }
        let widths: [Int] = widest(tables)
        var parts: [String] = []
        for (datacenter, table) in zip(report.datacenters, tables) {
            let title = "Datacenter: \(datacenter)"
            parts.append(
                title + "\n" + String(repeating: "=", count: title.count)
                    + "\nStatus=Up/Down\n|/ State=Normal/Leaving/Joining/Moving\n" + table.text(widths: widths))
        }
        return parts.joined(separator: "\n") + "\n" + note(report)
    }

    static func ring(_ report: RingReport, withPorts: Bool) -> String {
        let addressWidth: Int = report.nodes.map { $0.endpoint.text(withPort: withPorts).count }.max() ?? 0
        func line(_ cells: [String]) -> String {
            let widths: [Int] = [addressWidth + 2, 12, 7, 8, 16, 20, 44]
            return zip(cells, widths).map { TextTable.padded($0, $1) }.joined() + "\n"
        }
        var text = "\n"
        for datacenter in report.datacenters {
            let nodes: [RingNode] = report.nodes.filter { $0.datacenter == datacenter }
            var places: [(token: Int64, node: RingNode)] = nodes.flatMap { node in node.tokens.map { ($0, node) } }
            places.sort { $0.token < $1.token }
            text += "Datacenter: \(datacenter)\n==========\n"
            text += line(["Address", "Rack", "Status", "State", "Load", "Owns", "Token"])
            // The ring closes: in front of its first token lies its last.
            text += places.count > 1 ? line(["", "", "", "", "", "", String(places[places.count - 1].token)]) : "\n"
            for (token, node) in places {
                let load: String = node.loadByteCount.map(FigureText.byteCount) ?? "?"
                let owned: String = node.owned.map { FigureText.percent($0, places: 2) } ?? "?"
                text += line([
                    node.endpoint.text(withPort: withPorts), node.rack, node.isUp ? "Up" : "Down", node.state.word,
                    load, owned, String(token),
                ])
            }
            text += "\n"
        }
        if report.nodes.contains(where: { $0.tokens.count > 1 }) {
            text += "  Warning: \"nodetool ring\" is used to output all the tokens of a node.\n"
            text += "  To view status related info of a node use \"nodetool status\" instead.\n\n"
        }
        return text + note(report)
    }

    private static func note(_ report: RingReport) -> String {
        report.note.map { "Note: \($0)\n" } ?? ""
    }

    private static func widest(_ tables: [TextTable]) -> [Int] {
        var widths: [Int] = []
        for table in tables {
            for (column, width) in table.widths.enumerated() {
                if column == widths.count { widths.append(0) }
                widths[column] = max(widths[column], width)
            }
        }
        return widths
    }
}

/// In which order the nodes of a datacenter are shown.
struct RingSorting {
    private enum Key: String {
        case ip, load, owns, token, rack, status
        case identifier = "id"
        case hostID = "host_id"
    }

    private let key: Key
    private let isDescending: Bool

    /// By address.
    static let usual = RingSorting(.ip, isDescending: false)

    private init(_ key: Key, isDescending: Bool) {
        self.key = key
        self.isDescending = isDescending
    }

    init(_ key: String?, _ order: String?) throws(AdminClientError) {
        guard let known = Key(rawValue: key ?? "ip") else {
            throw .invalid("The order is by ip, load, owns, id, token, rack or status, not by \(key ?? "").")
        }
        guard order == nil || order == "asc" || order == "desc" else {
            throw .invalid("The order is asc or desc, not \(order ?? "").")
        }
        self.key = known
        // The greatest figures come first, and the first names.
        self.isDescending = order.map { $0 == "desc" } ?? (known == .load || known == .owns)
    }

    func sorted(_ nodes: [RingNode]) -> [RingNode] {
        let ascending: [RingNode] = nodes.sorted { left, right in
            switch key {
            case .ip: left.endpoint < right.endpoint
            case .load: (left.loadByteCount ?? -1) < (right.loadByteCount ?? -1)
            case .owns: (left.owned ?? -1) < (right.owned ?? -1)
            case .hostID, .identifier: left.id < right.id
            case .token: left.tokenCount < right.tokenCount
            case .rack: (left.rack, left.endpoint) < (right.rack, right.endpoint)
            case .status: (left.isUp ? 1 : 0, left.state.rawValue) < (right.isUp ? 1 : 0, right.state.rawValue)
            }
        }
        return isDescending ? ascending.reversed() : ascending
    }
}
