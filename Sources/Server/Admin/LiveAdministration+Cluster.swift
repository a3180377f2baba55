import Administration
import Cluster
import DataModel
import Environment
import Primitives
import Query

/// All nodes, as this one sees them.
extension LiveAdministration {
    func ring(keyspace: String?, includesTokens: Bool) async throws(AdminFailure) -> RingReport {
        let (parts, metadata) = try current()
        let topology = Topology(metadata, local: NodeID(parts.local.hostID))
        let ownership: Ownership = try Ownership(
            of: keyspace, in: LiveSchema.whole(metadata.schema), shared: metadata.schema, topology)
        var loads: [NodeID: Int] = [:]
        for endpoint in await parts.gossip.endpoints() {
            loads[endpoint.id] = endpoint[.load].flatMap { Double($0) }.flatMap { Int(exactly: $0.rounded()) }
        }
        // This node need not wait until it tells the others.
        loads[NodeID(parts.local.hostID)] = await NodeLoad.byteCount(of: parts.engine, metadata.schema)
        let nodes: [RingNode] = metadata.members.filter { $0.state != .left }.map { member in
            RingNode(
                id: member.id.description, endpoint: Endpoint(member.internode), native: Endpoint(member.native),
                datacenter: member.datacenter, rack: member.rack, isUp: parts.gossip.liveness.isAlive(member.id),
                state: RingState(member.state), loadByteCount: loads[member.id], tokenCount: member.tokens.count,
                owned: ownership.shares.map { $0[member.id] ?? 0 }, releaseVersion: member.releaseVersion,
                tokens: includesTokens || member.tokens.count == 1 ? member.tokens.map(\.value) : [])
        }
        let hasLeft: Bool = metadata.member(NodeID(parts.local.hostID))?.state == .left
        return RingReport(
            keyspace: keyspace, isOwnershipEffective: ownership.shares != nil,
            note: hasLeft ? "The node that was asked has left the ring" : ownership.note, nodes: nodes)
    }

    func cluster() async throws(AdminFailure) -> ClusterReport {
        let (parts, metadata) = try current()
        let local = NodeID(parts.local.hostID)
        let members: [Member] = metadata.members.filter { $0.state != .left }
        let live: [Member] = members.filter { parts.gossip.liveness.isAlive($0.id) }
        var schemas: [String: [Endpoint]] = [:]
        let told: [EndpointState] = await parts.gossip.endpoints()
        for member in live {
            let version: String =
                member.id == local
                ? metadata.schema.version.description
                : told.first { $0.id == member.id }?[.schema] ?? "UNKNOWN"
            schemas[version, default: []].append(Endpoint(member.internode))
        }
        var releases: [String: [Endpoint]] = [:]
        for member in live { releases[member.releaseVersion, default: []].append(Endpoint(member.internode)) }
        let names: [String] = Set(members.map(\.datacenter)).sorted()
        return ClusterReport(
            name: metadata.clusterName, clusterID: metadata.clusterID.description, snitch: ServerVersions.snitch,
            isSnitchDynamic: true, partitioner: ServerVersions.partitioner, epoch: Int(clamping: metadata.epoch),
            voters: metadata.voters.map(\.description), schemaVersions: LiveAdministration.holders(schemas),
            unreachable: members.filter { !live.contains($0) }.map { Endpoint($0.internode) },
            liveCount: live.count, joiningCount: members.count { $0.state == .joining },
            movingCount: members.count { $0.state == .moving }, leavingCount: members.count { $0.state == .leaving },
            datacenters: names.map { name in
                ClusterReport.Datacenter(
                    name: name, nodeCount: members.count { $0.datacenter == name },
                    downCount: members.count { $0.datacenter == name && !live.contains($0) })
            },
            releaseVersions: LiveAdministration.holders(releases),
            keyspaces: LiveSchema.whole(metadata.schema).sortedKeyspaces.filter { !$0.isVirtual }.map { keyspace in
                ClusterReport.Keyspace(
                    name: keyspace.name, replicationClass: Ownership.className(keyspace),
                    options: keyspace.replication.filter { $0.key != "class" }
                        .map { HTTPRequest.Parameter($0.key, $0.value) })
            })
    }

    private static func holders(_ versions: [String: [Endpoint]]) -> [ClusterReport.VersionHolders] {
        versions.sorted { $0.key < $1.key }.map { version, endpoints in
            ClusterReport.VersionHolders(version: version, endpoints: endpoints)
        }
    }

    func gossip() async throws(AdminFailure) -> GossipReport {
        let (parts, metadata) = try current()
        var nodes: [GossipReport.Node] = []
        for state in await parts.gossip.endpoints() {
            guard let member = metadata.member(state.id) else { continue }
            var values: [GossipReport.Value] = state.entries.map { entry in
                GossipReport.Value(name: "\(entry.key)", version: Int(entry.version), value: entry.value)
            }
            // Who a node is and what it owns is agreed on by all and needs no gossip, but is looked for here.
            let agreed: [(ApplicationState, String)] = [
                (.hostID, member.id.description),
                (.tokens, member.tokens.map(\.description).joined(separator: ";")),
            ]
            for (key, value) in agreed where state[key] == nil {
                values.append(GossipReport.Value(name: "\(key)", version: 0, value: value))
            }
            nodes.append(
                GossipReport.Node(
                    id: member.id.description, endpoint: Endpoint(member.internode),
                    isUp: parts.gossip.liveness.isAlive(member.id), generation: Int(state.heartbeat.generation),
                    heartbeat: Int(state.version), values: values))
        }
        return GossipReport(nodes: nodes)
    }

    func failureDetector() async throws(AdminFailure) -> DetectorReport {
        let (parts, metadata) = try current()
        let health: [PeerWatch.Health] = await parts.gossip.health()
        return DetectorReport(
            nodes: health.compactMap { peer in
                guard let member = metadata.member(peer.id) else { return nil }
                return DetectorReport.Node(
                    endpoint: Endpoint(member.internode), isUp: peer.isUp, phi: peer.phi,
                    meanIntervalMilliseconds: peer.meanIntervalMilliseconds)
            })
    }

    func replicas(keyspace: String, table: String, key: String) async throws(AdminFailure) -> ReplicasReport {
        let (parts, metadata) = try current()
        guard let definition = LiveSchema.whole(metadata.schema).keyspace(keyspace) else {
            throw .invalid("The keyspace \(keyspace) does not exist.")
        }
        guard let columns = definition.tables[table]?.partitionKey else {
            throw .invalid("The table \(keyspace).\(table) does not exist.")
        }
        let token: Token = try PartitionKeyText.token(of: key, columns)
        let topology = Topology(metadata, local: NodeID(parts.local.hostID))
        guard let placement = try? topology.placement(for: definition.replication) else {
            throw .invalid("The keyspace \(keyspace) has no replicas.")
        }
        return ReplicasReport(
            token: token.value,
            endpoints: placement.replicas(of: token).natural.compactMap { topology.member($0) }
                .map { Endpoint($0.internode) })
    }
}

/// Which part of a keyspace each node keeps.
private struct Ownership {
    /// Nil where there is nothing that could be said of all keyspaces.
    let shares: [NodeID: Double]?
    let note: String?

    /// - Parameters:
    ///   - name: of the keyspace; nil for those of users, which then must be replicated alike.
    ///   - schema: with the node's own keyspaces.
    ///   - shared: what all nodes have.
    init(
        of name: String?, in schema: Schema, shared: Schema, _ topology: Topology
    ) throws(AdminFailure) {
        let chosen: KeyspaceDefinition?
        if let name {
            guard let keyspace = schema.keyspace(name) else {
                throw .invalid("The keyspace \(name) does not exist.")
            }
            chosen = keyspace
        } else {
            let users: [KeyspaceDefinition] = shared.sortedKeyspaces.filter { !$0.name.hasPrefix("system") }
            if let first = users.first, users.contains(where: { $0.replication != first.replication }) {
                shares = nil
                note =
                    "Non-system keyspaces don't have the same replication settings, effective ownership "
                    + "information is meaningless"
                return
            }
            chosen = users.first ?? schema.keyspace("system_traces")
        }
        let placement: Placement? = chosen.flatMap { try? topology.placement(for: $0.replication) }
        if placement?.strategy == .local {
            shares = nil
            note = "Ownership values for keyspaces with LocalStrategy are meaningless"
        } else {
            shares = placement?.shares ?? topology.primaryShares
            note = nil
        }
    }

    /// The strategy without its Java package.
    static func className(_ keyspace: KeyspaceDefinition) -> String {
        let name: String = keyspace.replication["class"] ?? "LocalStrategy"
        return name.split(separator: ".").last.map { String($0) } ?? name
    }
}

/// Partition keys as people type them.
enum PartitionKeyText {
    /// - Parameter text: the value; those of a composite key with `:` between, which a backslash in front makes a part of
    ///   a value.
    /// - Throws: `.invalid` when it is no key of these columns.
    static func token(of text: String, _ columns: [ColumnDefinition]) throws(AdminFailure) -> Token {
        let parts: [String] = columns.count == 1 ? [text] : split(text)
        guard parts.count == columns.count else {
            throw .invalid("The partition key has \(columns.count) columns; their values are separated by ':'.")
        }
        var key = ByteWriter()
        for (part, column) in zip(parts, columns) {
            let value: [UInt8]
            do throws(InvalidValue) {
                value = try column.type.valueBytes(ofText: part)
            } catch {
                throw .invalid("\(part) is no value of the column \(column.name): \(error).")
            }
            guard value.count <= PartitionKey.maximumByteCount else { throw .invalid("The key is too long.") }
            if columns.count == 1 {
                key.write(value)
            } else {
                PartitionKey.appendComponent(value.span.bytes, to: &key)
            }
        }
        return Token(ofKey: key.span)
    }

    /// A key as it would be typed; in hexadecimal digits where the columns are not known.
    static func text(of key: [UInt8], _ columns: [ColumnDefinition]) -> String {
        var components: [[UInt8]] = [key]
        if columns.count > 1 {
            components = (try? PartitionKey.components(of: key.span.bytes, count: columns.count)) ?? []
        }
        guard components.count == columns.count else {
            return "0x" + key.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
        }
        let texts: [String] = zip(components, columns).map { component, column in
            let isText: Bool = column.type == .text || column.type == .ascii
            let text: String =
                isText ? String(decoding: component, as: UTF8.self) : column.type.cqlLiteral(of: component.span.bytes)
            if columns.count == 1 { return text }
            return text.map { $0 == ":" || $0 == "\\" ? "\\\($0)" : String($0) }.joined()
        }
        return texts.joined(separator: ":")
    }

    private static func split(_ text: String) -> [String] {
        var parts: [String] = [""]
        var isEscaped = false
        for character in text {
            if isEscaped || (character != "\\" && character != ":") {
                parts[parts.count - 1].append(character)
                isEscaped = false
            } else if character == ":" {
                parts.append("")
            } else {
                isEscaped = true
            }
        }
        return parts
    }
}
