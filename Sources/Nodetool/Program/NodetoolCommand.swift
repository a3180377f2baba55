/// The words of the operator's tool: those of Cassandra's nodetool, with their meaning.
package enum NodetoolCommand: String, CaseIterable, Sendable {
    case describecluster, disablehandoff, enablehandoff, failuredetector, getendpoints, gossipinfo, info
    case listpendinghints, netstats, ring, status, statushandoff, truncatehints, version

    /// What it does, as a line of the help.
    package var summary: String {
        switch self {
        case .describecluster: "The cluster: name, versions of the schema and of the nodes, keyspaces"
        case .disablehandoff: "Store no more hints on this node"
        case .enablehandoff: "Store hints on this node again"
        case .failuredetector: "How sure this node is that each other node is up"
        case .getendpoints: "The replicas of a partition key"
        case .gossipinfo: "What this node knows of all nodes from gossip"
        case .info: "This node: load, uptime, memory, tokens"
        case .listpendinghints: "The hints that wait on this node, by the node that they are for"
        case .netstats: "The messages between this node and the others"
        case .ring: "All tokens of the ring with their nodes"
        case .status: "All nodes: whether they are up, their load and what they own"
        case .statushandoff: "Whether this node stores hints"
        case .truncatehints: "Forget the hints that wait on this node, for all nodes or for some"
        case .version: "The version of this node"
        }
    }

    /// The operands as the help shows them.
    package var operands: String {
        switch self {
        case .getendpoints: "KEYSPACE TABLE KEY"
        case .ring, .status: "[KEYSPACE]"
        case .truncatehints: "[NODE…]"
        default: ""
        }
    }

    /// How many operands it takes.
    package var operandCounts: ClosedRange<Int> {
        switch self {
        case .getendpoints: 3...3
        case .ring, .status: 0...1
        case .truncatehints: 0...1_000
        default: 0...0
        }
    }

    /// A switch of one command.
    package struct Flag: Sendable {
        package let names: [String]
        package let meaning: String
    }

    package var flags: [Flag] {
        switch self {
        case .info: [Flag(names: ["-T", "--tokens"], meaning: "Show all tokens.")]
        case .netstats:
            [
                Flag(names: ["-P", "--peers"], meaning: "Show the messages with each node too."),
                Flag(names: ["-H", "--human-readable"], meaning: "Show bytes with a unit."),
            ]
        case .version: [Flag(names: ["-v", "--verbose"], meaning: "Show the versions of CQL and of the protocol too.")]
        default: []
        }
    }

    /// The command with its operands and flags.
    package var usage: String {
        var usage: String = "nodetool [OPTIONS] " + rawValue
        for flag in flags { usage += " [\(flag.names.joined(separator: " | "))]" }
        return operands.isEmpty ? usage : usage + " " + operands
    }
}
