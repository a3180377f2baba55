/// What a message between nodes is about.
///
/// The raw value is on the wire: a number is never used again for something else.
public enum Verb: UInt8, Sendable, CaseIterable {
    // Liveness.
    case ping = 1
    case gossipSyn = 2
    case gossipAck = 3
    case hello = 4
    case goodbye = 5

    // Agreement on the cluster's metadata.
    case metadataFetch = 16
    case metadataPrepare = 17
    case metadataAccept = 18
    case metadataCommit = 19

    // Rows.
    case mutation = 32
    case readRow = 33
    case readRange = 34
    case readRepair = 35
    case counterMutation = 36
    case forwardedMutation = 37
    case truncate = 38

    // Lightweight transactions.
    case paxosPrepare = 48
    case paxosPropose = 49
    case paxosCommit = 50

    // What replicas missed.
    case hint = 64
    case batchStore = 65
    case batchRemove = 66

    // Whole ranges of tables, from node to node.
    case streamOpen = 84
    case streamFile = 85
    case streamRows = 86
    case streamClose = 87
    case streamTruncated = 88

    // Changes of the ring.
    case ringBarrier = 96
    case ringPull = 97
    case ringArrival = 98

    // Making replicas equal.
    case repairCut = 128
    case repairLeaves = 129
    case repairUnits = 130
    case repairFetch = 131
    case repairApply = 132
    case repairMark = 133
}

extension Verb {
    /// Whether a request of it goes where the sender's placement of the data says.
    var followsPlacement: Bool {
        switch self {
        case .mutation, .readRow, .readRange, .readRepair, .counterMutation, .forwardedMutation: true
        default: false
        }
    }
}

/// The kinds of streams between two nodes, so that what is large never delays what is urgent.
public enum Lane: UInt8, Sendable, CaseIterable {
    /// Gossip, votes, metadata.
    case control = 0
    /// Mutations, reads, and what replicas say to them.
    case data = 1
    /// Large bodies, hints, scans.
    case bulk = 2
}
