/// What has gone between this node and another over one lane.
package struct TrafficCounts: Equatable, Sendable {
    package var sentMessages: UInt64 = 0
    package var sentBytes: UInt64 = 0
    package var receivedMessages: UInt64 = 0
    package var receivedBytes: UInt64 = 0
    /// Requests that were answered, that were not in time, and that failed otherwise.
    package var answeredRequests: UInt64 = 0
    package var timedOutRequests: UInt64 = 0
    package var failedRequests: UInt64 = 0
    /// Answers that came when nobody waited for them any more.
    package var lateAnswers: UInt64 = 0
    /// Messages dropped because their time was up: before they were sent, and before they were read.
    package var expiredOutgoing: UInt64 = 0
    package var expiredIncoming: UInt64 = 0
    /// Messages that were not taken because too much waited, here and there.
    package var overloadedOutgoing: UInt64 = 0
    package var overloadedIncoming: UInt64 = 0
    /// Messages and answers that were lost with their connection, or had none.
    package var undelivered: UInt64 = 0
    /// Attempts to connect, and connections that came up, were refused, or carried what no node sends.
    package var attempts: UInt64 = 0
    package var connections: UInt64 = 0
    package var refusals: UInt64 = 0
    package var malformed: UInt64 = 0

    package init() {}

    package mutating func add(_ other: TrafficCounts) {
        let members: [WritableKeyPath<TrafficCounts, UInt64>] = [
            \.sentMessages, \.sentBytes, \.receivedMessages, \.receivedBytes, \.answeredRequests, \.timedOutRequests,
            \.failedRequests, \.lateAnswers, \.expiredOutgoing, \.expiredIncoming, \.overloadedOutgoing,
            \.overloadedIncoming, \.undelivered, \.attempts, \.connections, \.refusals, \.malformed,
        ]
        for member in members { self[keyPath: member] &+= other[keyPath: member] }
    }
}

/// The traffic with one node over one lane, and how things stand now.
package struct PeerTraffic: Equatable, Sendable {
    package var node: NodeID
    package var lane: Lane
    package var counts = TrafficCounts()
    /// Requests that wait for an answer, bytes that have not left, connections that are up.
    package var outstandingRequests = 0
    package var pendingBytes = 0
    package var openConnections = 0

    package init(node: NodeID, lane: Lane) {
        self.node = node
        self.lane = lane
    }

    package mutating func add(_ other: PeerTraffic) {
        counts.add(other.counts)
        outstandingRequests += other.outstandingRequests
        pendingBytes += other.pendingBytes
        openConnections += other.openConnections
    }
}

/// Counts for the links of one loop with one node and lane; it outlives the links. Confined to the loop.
final class TrafficCounter {
    let node: NodeID
    let lane: Lane
    var counts = TrafficCounts()

    init(node: NodeID, lane: Lane) {
        self.node = node
        self.lane = lane
    }
}

/// The node and the lane that something is counted for.
struct TrafficKey: Hashable {
    let node: NodeID
    let lane: Lane
}
