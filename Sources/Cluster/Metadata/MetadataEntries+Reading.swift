import DataModel
import Primitives

extension MetadataEntries {
    /// The metadata that the entries are.
    func metadata(epoch: UInt64) throws(DecodingError) -> ClusterMetadata {
        var cluster: (id: UUID, name: String)?
        var voters: [NodeID]?
        var schema: Schema?
        var members: [Member] = []
        var changes: [RingChange] = []
        var placementEpoch: UInt64 = 0
        var parts = SchemaParts()
        for (key, value) in entries {
            let path: [Substring] = key.split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false)
            switch (path[0], path.count) {
            case ("cluster", 1): cluster = try MetadataEntries.cluster(value)
            case ("voters", 1): voters = try MetadataEntries.voters(value)
            case ("schema", 1): schema = try MetadataEntries.schemaVersion(value)
            case ("member", 2):
                let member: Member = try MemberCodec.decode(value)
                guard path[1] == member.id.description else { throw MetadataEntries.mismatch }
                members.append(member)
            case ("placement", 1): placementEpoch = try MetadataEntries.placementEpoch(value)
            case ("change", 2):
                let change: RingChange = try RingChangeCodec.decode(value)
                guard path[1] == change.id.description else { throw MetadataEntries.mismatch }
                changes.append(change)
            case ("keyspace", 2): try parts.addKeyspace(String(path[1]), value)
            case ("type", 3): parts.types.append((String(path[1]), String(path[2]), value))
            case ("table", 3): parts.tables.append((String(path[1]), String(path[2]), value))
            default: throw .invalid(offset: 0, what: "an unknown key of metadata")
            }
        }
        guard let cluster, let voters, var schema else {
            throw .invalid(offset: 0, what: "metadata without one of its parts")
        }
        schema.keyspaces = try parts.assembled()
        guard members.count <= ClusterMetadata.maximumMemberCount else {
            throw .invalid(offset: 0, what: "too many members")
        }
        let known: Set<NodeID> = Set(members.map(\.id))
        guard !voters.isEmpty, voters.allSatisfy(known.contains) else {
            throw .invalid(offset: 0, what: "voters that are no members")
        }
        guard changes.count <= ClusterMetadata.maximumChangeCount,
            changes.allSatisfy({ known.contains($0.node) && ($0.replaced.map(known.contains) ?? true) })
        else {
            throw .invalid(offset: 0, what: "changes of the ring that fit no members")
        }
        return ClusterMetadata(
            epoch: epoch, clusterID: cluster.id, clusterName: cluster.name, members: members, voters: voters,
            schema: schema, changes: changes, placementEpoch: placementEpoch)
    }

    private static func placementEpoch(_ bytes: [UInt8]) throws(DecodingError) -> UInt64 {
        let span: RawSpan = bytes.span.bytes
        var reader = ByteReader(span)
        let epoch: UInt64 = try reader.readUInt64()
        try reader.end()
        return epoch
    }

    static let mismatch = DecodingError.invalid(offset: 0, what: "metadata under the key of something else")

    private static func cluster(_ bytes: [UInt8]) throws(DecodingError) -> (id: UUID, name: String) {
        let span: RawSpan = bytes.span.bytes
        var reader = ByteReader(span)
        let id: UUID = try reader.readUUID()
        let name: String = try reader.readText(limit: maximumKeyByteCount)
        try reader.end()
        return (id, name)
    }

    private static func voters(_ bytes: [UInt8]) throws(DecodingError) -> [NodeID] {
        let span: RawSpan = bytes.span.bytes
        var reader = ByteReader(span)
        let count: Int = try reader.readCount(ofAtLeast: 16, limit: VoterChoice.maximumCount)
        var voters: [NodeID] = []
        for _ in 0..<count {
            let voter = NodeID(try reader.readUUID())
            if let last = voters.last, last >= voter {
                throw .invalid(offset: reader.offset, what: "voters out of order")
            }
            voters.append(voter)
        }
        try reader.end()
        return voters
    }

    private static func schemaVersion(_ bytes: [UInt8]) throws(DecodingError) -> Schema {
        let span: RawSpan = bytes.span.bytes
        var reader = ByteReader(span)
        var schema = Schema()
        schema.epoch = try reader.readUInt64()
        schema.version = try reader.readUUID()
        try reader.end()
        return schema
    }
}

/// The parts of a schema while it is put together again.
private struct SchemaParts {
    var keyspaces: [String: KeyspaceDefinition] = [:]
    var types: [(keyspace: String, name: String, value: [UInt8])] = []
    var tables: [(keyspace: String, name: String, value: [UInt8])] = []

    mutating func addKeyspace(_ name: String, _ value: [UInt8]) throws(DecodingError) {
        let span: RawSpan = value.span.bytes
        let keyspace: KeyspaceDefinition = try SchemaCodec.decodeDefinition(span)
        guard keyspace.name == name, !keyspace.isLocal else { throw MetadataEntries.mismatch }
        keyspaces[name] = keyspace
    }

    /// Types before the types that hold them, then tables.
    func assembled() throws(DecodingError) -> [String: KeyspaceDefinition] {
        var assembled: [String: KeyspaceDefinition] = keyspaces
        var ordered: [(nesting: UInt16, index: Int)] = []
        for index in types.indices {
            let encoded: [UInt8] = types[index].value
            let span: RawSpan = encoded.span.bytes
            var reader = ByteReader(span)
            ordered.append((try reader.readUInt16(), index))
        }
        for (_, index) in ordered.sorted(by: { $0 < $1 }) {
            let part = types[index]
            guard let keyspace = assembled[part.keyspace] else { throw MetadataEntries.mismatch }
            let encoded: [UInt8] = Array(part.value.dropFirst(2))
            let span: RawSpan = encoded.span.bytes
            let type: UserDefinedType = try SchemaCodec.decodeType(
                span, keyspace: part.keyspace, types: keyspace.types)
            guard type.name == part.name else { throw MetadataEntries.mismatch }
            assembled[part.keyspace]?.types[type.name] = type
        }
        for part in tables {
            guard let keyspace = assembled[part.keyspace] else { throw MetadataEntries.mismatch }
            let encoded: [UInt8] = part.value
            let span: RawSpan = encoded.span.bytes
            let table: TableDefinition = try SchemaCodec.decodeTable(
                span, keyspace: part.keyspace, types: keyspace.types)
            guard table.name == part.name else { throw MetadataEntries.mismatch }
            assembled[part.keyspace]?.tables[table.name] = table
        }
        return assembled
    }
}

extension KeyspaceDefinition {
    /// For each type, how deep other types of the keyspace are nested in it: 0 when there are none.
    var typeNesting: [String: Int] {
        var nesting: [String: Int] = [:]
        for type in typesInDependencyOrder {
            var depth = 0
            for (name, known) in nesting where type.fieldTypes.contains(where: { $0.refersToUserType(name) }) {
                depth = max(depth, known + 1)
            }
            nesting[type.name] = depth
        }
        return nesting
    }
}
