package import DataModel

/// What a node is to the ring, in the words that operators know.
package enum RingState: String, Sendable, CaseIterable {
    case normal, leaving, joining, moving
    /// It is in the ring no more. Rings do not show it; the node itself says so.
    case left

    /// The second letter of `UN`.
    package var letter: Character {
        switch self {
        case .normal: "N"
        case .leaving: "L"
        case .joining: "J"
        case .moving: "M"
        case .left: "-"
        }
    }

    package var word: String { rawValue.prefix(1).uppercased() + rawValue.dropFirst() }
}

/// An address and a port, without a rule about their form.
package struct Endpoint: Hashable, Sendable, Comparable {
    package var address: String
    package var port: Int

    package init(_ address: String, _ port: Int) {
        self.address = address
        self.port = port
    }

    /// Numbers in addresses count as numbers: 127.0.0.2 comes before 127.0.0.10.
    package static func < (left: Endpoint, right: Endpoint) -> Bool {
        (left.sortKey, left.address, left.port) < (right.sortKey, right.address, right.port)
    }

    package func text(withPort: Bool) -> String {
        guard withPort else { return address }
        return address.contains(":") ? "[\(address)]:\(port)" : "\(address):\(port)"
    }

    private var sortKey: UInt64 {
        let parts: [Substring] = address.split(separator: ".")
        guard parts.count == 4 else { return .max }
        return parts.reduce(0) { $0 << 8 | UInt64(UInt8($1) ?? .max) }
    }
}

/// One node of the ring as the node that was asked sees it.
package struct RingNode: Report {
    package var id: String
    package var endpoint: Endpoint
    package var native: Endpoint
    package var datacenter: String
    package var rack: String
    package var isUp: Bool
    package var state: RingState
    /// Bytes of its data; nil when it has not said so.
    package var loadByteCount: Int?
    package var tokenCount: Int
    /// The part of the data that it keeps, 0 to 1.
    package var owned: Double?
    package var releaseVersion: String
    /// Ascending; empty where only their number was asked for.
    package var tokens: [Int64]

    package init(
        id: String, endpoint: Endpoint, native: Endpoint, datacenter: String, rack: String, isUp: Bool,
        state: RingState, loadByteCount: Int?, tokenCount: Int, owned: Double?, releaseVersion: String,
        tokens: [Int64] = []
    ) {
        self.id = id
        self.endpoint = endpoint
        self.native = native
        self.datacenter = datacenter
        self.rack = rack
        self.isUp = isUp
        self.state = state
        self.loadByteCount = loadByteCount
        self.tokenCount = tokenCount
        self.owned = owned
        self.releaseVersion = releaseVersion
        self.tokens = tokens
    }

    package init(json: JSONValue) throws(MalformedReport) {
        let record = try JSONRecord(json)
        guard let state = RingState(rawValue: try record.text("state")) else {
            throw MalformedReport("The state of a node is unknown.")
        }
        self.id = try record.text("host_id")
        self.endpoint = Endpoint(try record.text("address"), try record.integer("port"))
        self.native = Endpoint(try record.text("native_address"), try record.integer("native_port"))
        self.datacenter = try record.text("datacenter")
        self.rack = try record.text("rack")
        self.isUp = try record.text("status") == "up"
        self.state = state
        self.loadByteCount = try record.optionalInteger("load")
        self.tokenCount = try record.integer("token_count")
        self.owned = try record.optionalDecimal("owns")
        self.releaseVersion = try record.text("release_version")
        self.tokens = []
        guard record["tokens"] != nil else { return }
        // Tokens are texts: readers of JSON that make every number a floating-point one would change them.
        for text in try record.texts("tokens") {
            guard let token = Int64(text) else { throw MalformedReport("A token is not a number.") }
            tokens.append(token)
        }
    }

    package var json: JSONValue {
        var members: [JSONValue.Member] = []
        func add(_ name: String, _ value: JSONValue) { members.append(JSONValue.Member(name: name, value: value)) }
        add("host_id", .string(id))
        add("address", .string(endpoint.address))
        add("port", .integer(endpoint.port))
        add("native_address", .string(native.address))
        add("native_port", .integer(native.port))
        add("datacenter", .string(datacenter))
        add("rack", .string(rack))
        add("status", .string(isUp ? "up" : "down"))
        add("state", .string(state.rawValue))
        add("load", .optional(loadByteCount))
        add("token_count", .integer(tokenCount))
        add("owns", owned.map { .decimal($0) } ?? .null)
        add("release_version", .string(releaseVersion))
        if !tokens.isEmpty { add("tokens", .texts(tokens.map { String($0) })) }
        return .object(members)
    }
}

/// All nodes of the ring (`nodetool status`, `nodetool ring`).
package struct RingReport: Report {
    /// The keyspace that ownership is counted for; nil when none was named.
    package var keyspace: String?
    /// Whether `owned` counts replicas, and not just tokens.
    package var isOwnershipEffective: Bool
    /// What must be said about ownership.
    package var note: String?
    /// By datacenter, then by address.
    package var nodes: [RingNode]

    package init(keyspace: String?, isOwnershipEffective: Bool, note: String?, nodes: [RingNode]) {
        self.keyspace = keyspace
        self.isOwnershipEffective = isOwnershipEffective
        self.note = note
        self.nodes = nodes.sorted { ($0.datacenter, $0.endpoint) < ($1.datacenter, $1.endpoint) }
    }

    package init(json: JSONValue) throws(MalformedReport) {
        let record = try JSONRecord(json)
        self.init(
            keyspace: try record.optionalText("keyspace"),
            isOwnershipEffective: try record.boolean("ownership_is_effective"), note: try record.optionalText("note"),
            nodes: try record.reports("nodes", of: RingNode.self))
    }

    package var json: JSONValue {
        .record([
            "keyspace": .optional(keyspace), "ownership_is_effective": .boolean(isOwnershipEffective),
            "note": .optional(note), "nodes": .array(nodes.map(\.json)),
        ])
    }

    /// The names of the datacenters, ascending.
    package var datacenters: [String] { Set(nodes.map(\.datacenter)).sorted() }
}
