package import Environment
package import Primitives

/// Who this node is to those that it talks to.
package struct MessageIdentity: Equatable, Sendable {
    package var node: NodeID
    /// Where others reach it.
    package var address: SocketAddress
    package var datacenter: String
    package var clusterName: String
    /// Zero until the node knows its cluster.
    package var clusterID: UUID

    package init(
        node: NodeID, address: SocketAddress, datacenter: String, clusterName: String,
        clusterID: UUID = UUID(high: 0, low: 0)
    ) {
        self.node = node
        self.address = address
        self.datacenter = datacenter
        self.clusterName = clusterName
        self.clusterID = clusterID
    }

    func hello(to wanted: NodeID, lane: Lane, epoch: UInt64) -> Hello {
        Hello(
            lane: lane, clusterName: clusterName, clusterID: clusterID, sender: node, wanted: wanted, address: address,
            epoch: epoch)
    }

    /// Decides whether to talk to who said `hello`.
    package func answer(to hello: Hello, epoch: UInt64) -> HandshakeAnswer {
        let version: UInt16 = min(hello.newestVersion, InternodeVersion.newest)
        guard version >= max(hello.oldestVersion, InternodeVersion.oldest) else {
            return .refusal(
                HandshakeRefusal(
                    code: HandshakeRefusal.noCommonVersion,
                    reason:
                        "This node speaks the versions \(InternodeVersion.oldest) to \(InternodeVersion.newest) of the "
                        + "internode protocol, not \(hello.oldestVersion) to \(hello.newestVersion)"))
        }
        guard hello.sender != .none else {
            return .refusal(
                HandshakeRefusal(code: HandshakeRefusal.noIdentity, reason: "The connection does not say whose it is"))
        }
        guard hello.clusterName == clusterName else {
            return .refusal(
                HandshakeRefusal(
                    code: HandshakeRefusal.otherCluster,
                    reason: "This node is of the cluster '\(clusterName)', not of '\(hello.clusterName)'"))
        }
        if let refusal = judge(cluster: hello.clusterID) { return .refusal(refusal) }
        guard hello.wanted == .none || hello.wanted == node else {
            return .refusal(
                HandshakeRefusal(
                    code: HandshakeRefusal.wrongNode, reason: "The node here is \(node), not \(hello.wanted)"))
        }
        return .welcome(Welcome(version: version, node: node, clusterID: clusterID, epoch: epoch))
    }

    /// Decides whether who answered is who was wanted.
    package func judge(_ welcome: Welcome, wanted: NodeID) -> HandshakeRefusal? {
        guard welcome.version >= InternodeVersion.oldest, welcome.version <= InternodeVersion.newest else {
            return HandshakeRefusal(
                code: HandshakeRefusal.noCommonVersion,
                reason: "The node chose version \(welcome.version) of the internode protocol")
        }
        guard welcome.node != .none, wanted == .none || welcome.node == wanted else {
            return HandshakeRefusal(
                code: HandshakeRefusal.wrongNode, reason: "The node there is \(welcome.node), not \(wanted)")
        }
        return judge(cluster: welcome.clusterID)
    }

    /// Two identifiers of one name are two clusters that somebody named alike.
    private func judge(cluster other: UUID) -> HandshakeRefusal? {
        let unknown = UUID(high: 0, low: 0)
        if clusterID == unknown || other == unknown || clusterID == other { return nil }
        return HandshakeRefusal(
            code: HandshakeRefusal.otherCluster,
            reason: "The cluster '\(clusterName)' has the id \(clusterID) here and \(other) there")
    }
}
