package import CQL
package import DataModel
package import Primitives

/// What the computed tables show: a snapshot of the node and of what it knows.
package struct SystemContext: Sendable {
    /// With the keyspaces of the system.
    package var schema: Schema
    package var local: LocalNodeDescription
    package var peers: [PeerDescription]
    /// Names and values of settings.
    package var settings: [String: String]
    package var clients: [ClientDescription]
    package var sizeEstimates: [SizeEstimate]
    /// Rows of the one live view that is read.
    package var live: [LiveViews.Row] = []

    package init(
        schema: Schema, local: LocalNodeDescription, peers: [PeerDescription] = [], settings: [String: String] = [:],
        clients: [ClientDescription] = [], sizeEstimates: [SizeEstimate] = []
    ) {
        self.schema = schema
        self.local = local
        self.peers = peers
        self.settings = settings
        self.clients = clients
        self.sizeEstimates = sizeEstimates
    }
}

/// This node, as `system.local` shows it.
package struct LocalNodeDescription: Sendable, Hashable {
    package var hostID: UUID
    package var clusterName: String
    package var dataCenter: String
    package var rack: String
    package var tokens: [Token]
    /// Counts the starts of the node, in seconds since 1970 of the first of them.
    package var generation: Int32
    /// Where other nodes reach this one.
    package var broadcast: InetEndpoint
    /// Where this node listens for other nodes.
    package var listen: InetEndpoint
    /// Where clients reach this node.
    package var native: InetEndpoint
    /// `COMPLETED` once the node has its data.
    package var bootstrapState: String = "COMPLETED"
    /// When tables were last truncated on this node, in microseconds since 1970.
    package var truncations: [UUID: Int64] = [:]

    package init(
        hostID: UUID, clusterName: String, dataCenter: String, rack: String, tokens: [Token], generation: Int32,
        broadcast: InetEndpoint, listen: InetEndpoint, native: InetEndpoint
    ) {
        self.hostID = hostID
        self.clusterName = clusterName
        self.dataCenter = dataCenter
        self.rack = rack
        self.tokens = tokens
        self.generation = generation
        self.broadcast = broadcast
        self.listen = listen
        self.native = native
    }
}

/// Another node, as `system.peers_v2` shows it.
package struct PeerDescription: Sendable, Hashable {
    package var hostID: UUID
    package var dataCenter: String
    package var rack: String
    package var tokens: [Token]
    package var releaseVersion: String
    package var schemaVersion: UUID
    package var broadcast: InetEndpoint
    package var native: InetEndpoint
    /// Where this node prefers to reach it, when that is not where it says.
    package var preferred: InetEndpoint?

    package init(
        hostID: UUID, dataCenter: String, rack: String, tokens: [Token], releaseVersion: String, schemaVersion: UUID,
        broadcast: InetEndpoint, native: InetEndpoint, preferred: InetEndpoint? = nil
    ) {
        self.hostID = hostID
        self.dataCenter = dataCenter
        self.rack = rack
        self.tokens = tokens
        self.releaseVersion = releaseVersion
        self.schemaVersion = schemaVersion
        self.broadcast = broadcast
        self.native = native
        self.preferred = preferred
    }
}

/// A connection of a client, as `system_views.clients` shows it.
package struct ClientDescription: Sendable, Hashable {
    package var endpoint: InetEndpoint
    package var hostname: String?
    package var username: String?
    /// `ready` once the client is past STARTUP.
    package var connectionStage: String
    package var protocolVersion: Int32
    /// What the client said in STARTUP.
    package var options: [String: String]
    package var requestCount: Int64
    package var isEncrypted: Bool
    package var encryptionProtocol: String?
    package var cipherSuite: String?
    package var keyspace: String?

    package init(
        endpoint: InetEndpoint, hostname: String? = nil, username: String? = nil, connectionStage: String = "ready",
        protocolVersion: Int32, options: [String: String] = [:], requestCount: Int64 = 0, isEncrypted: Bool = false,
        encryptionProtocol: String? = nil, cipherSuite: String? = nil, keyspace: String? = nil
    ) {
        self.endpoint = endpoint
        self.hostname = hostname
        self.username = username
        self.connectionStage = connectionStage
        self.protocolVersion = protocolVersion
        self.options = options
        self.requestCount = requestCount
        self.isEncrypted = isEncrypted
        self.encryptionProtocol = encryptionProtocol
        self.cipherSuite = cipherSuite
        self.keyspace = keyspace
    }
}

/// How much of a table lies in one range of tokens.
package struct SizeEstimate: Sendable, Hashable {
    package var keyspace: String
    package var table: String
    /// Not in the range itself.
    package var rangeStart: Token
    package var rangeEnd: Token
    package var meanPartitionByteCount: Int64
    package var partitionCount: Int64

    package init(
        keyspace: String, table: String, rangeStart: Token, rangeEnd: Token, meanPartitionByteCount: Int64,
        partitionCount: Int64
    ) {
        self.keyspace = keyspace
        self.table = table
        self.rangeStart = rangeStart
        self.rangeEnd = rangeEnd
        self.meanPartitionByteCount = meanPartitionByteCount
        self.partitionCount = partitionCount
    }
}
