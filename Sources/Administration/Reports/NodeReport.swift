package import DataModel

/// Whether a node serves clients.
package struct Readiness: Report {
    package var isReady: Bool
    /// What it still waits for; nil when it is ready.
    package var reason: String?

    package init(isReady: Bool, reason: String? = nil) {
        self.isReady = isReady
        self.reason = reason
    }

    package init(json: JSONValue) throws(MalformedReport) {
        let record = try JSONRecord(json)
        self.init(isReady: try record.boolean("ready"), reason: try record.optionalText("reason"))
    }

    package var json: JSONValue { .record(["ready": .boolean(isReady), "reason": .optional(reason)]) }
}

/// The versions that a node has (`nodetool version`).
package struct VersionReport: Report {
    /// Of Cassandra, whose clients it serves.
    package var release: String
    package var cql: String
    /// Of the native protocol, ascending.
    package var protocols: [Int]

    package init(release: String, cql: String, protocols: [Int]) {
        self.release = release
        self.cql = cql
        self.protocols = protocols
    }

    package init(json: JSONValue) throws(MalformedReport) {
        let record = try JSONRecord(json)
        var protocols: [Int] = []
        for value in try record.list("native_protocol_versions") {
            guard case .number(let digits) = value, let number = Int(digits) else {
                throw MalformedReport("A version of the protocol is not a number.")
            }
            protocols.append(number)
        }
        self.init(
            release: try record.text("release_version"), cql: try record.text("cql_version"), protocols: protocols)
    }

    package var json: JSONValue {
        .record([
            "release_version": .string(release), "cql_version": .string(cql),
            "native_protocol_versions": .array(protocols.map { .integer($0) }),
        ])
    }
}

/// What a node says about itself (`nodetool info`).
package struct NodeReport: Report {
    package var id: String
    package var clusterName: String
    package var endpoint: Endpoint
    package var native: Endpoint
    package var datacenter: String
    package var rack: String
    package var state: RingState
    package var isGossiping: Bool
    package var isServingClients: Bool
    package var loadByteCount: Int
    package var generation: Int
    package var uptimeSeconds: Int
    /// Bytes of memory that the process has in use, and bytes of the machine; nil where that is not known.
    package var residentByteCount: Int?
    package var memoryByteCount: Int?
    package var shardCount: Int
    /// The epoch of the cluster's metadata.
    package var epoch: Int
    package var releaseVersion: String
    /// Ascending.
    package var tokens: [Int64]
    /// Nil where it is not known.
    package var cache: Cache?
    /// How much of the tables was verified lately, from 0 to 100; nil where nothing is to be verified.
    package var percentRepaired: Double?

    /// The cache of blocks of files.
    package struct Cache: Report {
        package var entryCount: Int
        package var byteCount: Int
        package var byteLimit: Int
        package var hitCount: Int
        package var missCount: Int

        package init(entryCount: Int, byteCount: Int, byteLimit: Int, hitCount: Int, missCount: Int) {
            self.entryCount = entryCount
            self.byteCount = byteCount
            self.byteLimit = byteLimit
            self.hitCount = hitCount
            self.missCount = missCount
        }

        package init(json: JSONValue) throws(MalformedReport) {
            let record = try JSONRecord(json)
            self.init(
                entryCount: try record.integer("entries"), byteCount: try record.integer("size"),
                byteLimit: try record.integer("capacity"), hitCount: try record.integer("hits"),
                missCount: try record.integer("misses"))
        }

        package var json: JSONValue {
            .record([
                "entries": .integer(entryCount), "size": .integer(byteCount), "capacity": .integer(byteLimit),
                "hits": .integer(hitCount), "misses": .integer(missCount),
            ])
        }
    }

    package init(
        id: String, clusterName: String, endpoint: Endpoint, native: Endpoint, datacenter: String, rack: String,
        state: RingState, isGossiping: Bool, isServingClients: Bool, loadByteCount: Int, generation: Int,
        uptimeSeconds: Int, residentByteCount: Int?, memoryByteCount: Int?, shardCount: Int, epoch: Int,
        releaseVersion: String, tokens: [Int64], cache: Cache? = nil,
        percentRepaired: Double? = nil
    ) {
        self.id = id
        self.clusterName = clusterName
        self.endpoint = endpoint
        self.native = native
        self.datacenter = datacenter
        self.rack = rack
        self.state = state
        self.isGossiping = isGossiping
        self.isServingClients = isServingClients
        self.loadByteCount = loadByteCount
        self.generation = generation
        self.uptimeSeconds = uptimeSeconds
        self.residentByteCount = residentByteCount
        self.memoryByteCount = memoryByteCount
        self.shardCount = shardCount
        self.epoch = epoch
        self.releaseVersion = releaseVersion
        self.tokens = tokens
        self.cache = cache
        self.percentRepaired = percentRepaired
    }

    package init(json: JSONValue) throws(MalformedReport) {
        let record = try JSONRecord(json)
        guard let state = RingState(rawValue: try record.text("state")) else {
            throw MalformedReport("The state of the node is unknown.")
        }
        var tokens: [Int64] = []
        for text in try record.texts("tokens") {
            guard let token = Int64(text) else { throw MalformedReport("A token is not a number.") }
            tokens.append(token)
        }
        self.init(
            id: try record.text("host_id"), clusterName: try record.text("cluster_name"),
            endpoint: Endpoint(try record.text("address"), try record.integer("port")),
            native: Endpoint(try record.text("native_address"), try record.integer("native_port")),
            datacenter: try record.text("datacenter"), rack: try record.text("rack"), state: state,
            isGossiping: try record.boolean("gossip_active"),
            isServingClients: try record.boolean("native_transport_active"), loadByteCount: try record.integer("load"),
            generation: try record.integer("generation"), uptimeSeconds: try record.integer("uptime_seconds"),
            residentByteCount: try record.optionalInteger("resident_memory"),
            memoryByteCount: try record.optionalInteger("machine_memory"), shardCount: try record.integer("shards"),
            epoch: try record.integer("metadata_epoch"), releaseVersion: try record.text("release_version"),
            tokens: tokens,
            cache: try record["chunk_cache"].map { (json) throws(MalformedReport) in try Cache(json: json) },
            percentRepaired: try record.optionalDecimal("percent_repaired"))
    }

    package var json: JSONValue {
        .record([
            "host_id": .string(id), "cluster_name": .string(clusterName), "address": .string(endpoint.address),
            "port": .integer(endpoint.port), "native_address": .string(native.address),
            "native_port": .integer(native.port), "datacenter": .string(datacenter), "rack": .string(rack),
            "state": .string(state.rawValue), "gossip_active": .boolean(isGossiping),
            "native_transport_active": .boolean(isServingClients), "load": .integer(loadByteCount),
            "generation": .integer(generation), "uptime_seconds": .integer(uptimeSeconds),
            "resident_memory": .optional(residentByteCount), "machine_memory": .optional(memoryByteCount),
            "shards": .integer(shardCount), "metadata_epoch": .integer(epoch),
            "release_version": .string(releaseVersion), "tokens": .texts(tokens.map { String($0) }),
            "chunk_cache": cache?.json ?? .null, "percent_repaired": percentRepaired.map { .decimal($0) } ?? .null,
        ])
    }
}
