import Administration

/// Gossip, in the form of Cassandra's `gossipinfo` and `failuredetector`.
enum GossipText {
    static func states(_ report: GossipReport, withPorts: Bool) -> String {
        var text = ""
        for node in report.nodes {
            text += "/\(node.endpoint.text(withPort: withPorts))\n"
            text += "  generation:\(node.generation)\n  heartbeat:\(node.heartbeat)\n"
            for value in node.values where value.name != "TOKENS" {
                text += "  \(value.name):\(value.version):\(value.value)\n"
            }
            // Tokens would hide everything else.
            if let tokens = node.values.first(where: { $0.name == "TOKENS" }) {
                text += "  TOKENS:\(tokens.version):<hidden>\n"
            } else {
                text += "  TOKENS: not present\n"
            }
        }
        return text
    }

    static func detector(_ report: DetectorReport, withPorts: Bool) -> String {
        var text: String = TextTable.leftPadded("Endpoint", 10) + "," + TextTable.leftPadded("Phi", 16) + "\n"
        for node in report.nodes {
            let phi: String = FigureText.decimal(node.phi, places: 8)
            text += TextTable.leftPadded("/" + node.endpoint.text(withPort: withPorts), 10)
            text += "," + TextTable.leftPadded(phi, 16) + "\n"
        }
        return text
    }
}
