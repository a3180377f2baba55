package import Environment

/// `internode_compression`: which connections carry compressed frames.
package enum InternodeCompression: String, Sendable, CaseIterable {
    case all
    /// Those to other data centres.
    case dc
    case none
}

/// What the connections of one lane may take.
package struct LaneLimits: Sendable {
    /// The largest payload of a frame, compressed or not.
    package var frameByteCount: Int
    /// Bytes of messages that wait in one link, for its connection or for a slow peer, before it refuses more.
    package var waitingByteCount: Int
    /// Bytes that the system may hold for a slow peer before messages wait in the link, where they can still expire.
    package var unsentByteCount: Int

    package init(frameByteCount: Int, waitingByteCount: Int, unsentByteCount: Int) {
        self.frameByteCount = frameByteCount
        self.waitingByteCount = waitingByteCount
        self.unsentByteCount = unsentByteCount
    }

    /// The largest message: what has been written into a frame before it must leave room for it.
    package var messageByteCount: Int { frameByteCount - MessageFrame.fullByteCount }
}

/// How this node talks to others.
package struct MessageSettings: Sendable {
    package var compression: InternodeCompression = .dc
    /// How long a connection may take to come up, and then to be answered (`internode_tcp_connect_timeout`).
    package var connectTimeout: Duration = .seconds(2)
    /// What encrypts connections that other nodes open, and those that this one opens; nil for nothing.
    package var listeningSecurity: (any TransportSecurity)?
    package var callingSecurity: (any TransportSecurity)?
    /// How long a connection that was accepted may take to say who it is.
    package var helloTimeout: Duration = .seconds(10)
    /// The pause after the first failed attempt to connect; it doubles with each further one, up to the second value.
    package var shortestPause: Duration = .milliseconds(50)
    package var longestPause: Duration = .seconds(1)
    package var control = LaneLimits(frameByteCount: 1 << 20, waitingByteCount: 4 << 20, unsentByteCount: 256 << 10)
    package var data = LaneLimits(frameByteCount: 1 << 20, waitingByteCount: 4 << 20, unsentByteCount: 256 << 10)
    package var bulk = LaneLimits(frameByteCount: 64 << 20, waitingByteCount: 16 << 20, unsentByteCount: 4 << 20)
    /// Requests of one loop that wait for an answer, and those of one link among them.
    package var outstandingCount: Int = 65_536
    package var outstandingCountPerLink: Int = 32_768
    /// Bytes of requests that asynchronous handlers work on: for one connection, before it is not read any more, and
    /// for one loop, before requests are refused.
    package var handledByteCountPerConnection: Int = 4 << 20
    package var handledByteCount: Int = 64 << 20
    /// Connections that one loop accepts.
    package var acceptedCount: Int = 4_096

    /// A message larger than this goes over the bulk lane, whatever lane it was meant for.
    package static let largeByteCount = 64 << 10
    /// What writers keep of their memory between uses.
    static let keptByteCount = 256 << 10
    /// The longest name of a cluster, in bytes of UTF-8.
    package static let clusterNameByteCount = 1_024

    package init() {}

    package func limits(of lane: Lane) -> LaneLimits {
        switch lane {
        case .control: control
        case .data: data
        case .bulk: bulk
        }
    }
}

extension Verb {
    /// The lane of a message that is sent without saying which.
    package var lane: Lane {
        switch self {
        case .ping, .gossipSyn, .gossipAck, .hello, .goodbye, .metadataFetch, .metadataPrepare, .metadataAccept,
            .metadataCommit, .ringBarrier, .ringPull, .ringArrival:
            .control
        case .mutation, .readRow, .readRepair, .counterMutation, .forwardedMutation, .truncate, .paxosPrepare,
            .paxosPropose, .paxosCommit, .batchStore, .batchRemove:
            .data
        case .readRange, .hint, .streamOpen, .streamFile, .streamRows, .streamClose, .streamTruncated, .repairCut,
            .repairLeaves, .repairUnits, .repairFetch, .repairApply, .repairMark:
            .bulk
        }
    }
}
