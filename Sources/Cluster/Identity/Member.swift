package import DataModel
package import Environment

/// What a node is to the ring.
package enum MemberState: UInt8, Sendable, CaseIterable {
    /// Taking over its tokens; it gets writes and answers no reads.
    case joining = 1
    case normal = 2
    case leaving = 3
    case moving = 4
    /// Gone for good; kept so that nobody takes its old messages for news.
    case left = 5

    /// Whether it owns its tokens.
    package var isOwner: Bool { self == .normal || self == .leaving || self == .moving }
}

/// One node as all nodes agree on it.
package struct Member: Hashable, Sendable {
    package var id: NodeID
    /// Where other nodes reach it.
    package var internode: SocketAddress
    /// Where clients reach it.
    package var native: SocketAddress
    package var datacenter: String
    package var rack: String
    /// In ascending order.
    package var tokens: [Token]
    package var state: MemberState
    package var releaseVersion: String

    package init(
        id: NodeID, internode: SocketAddress, native: SocketAddress, datacenter: String, rack: String,
        tokens: [Token], state: MemberState, releaseVersion: String
    ) {
        self.id = id
        self.internode = internode
        self.native = native
        self.datacenter = datacenter
        self.rack = rack
        self.tokens = tokens
        self.state = state
        self.releaseVersion = releaseVersion
    }
}
