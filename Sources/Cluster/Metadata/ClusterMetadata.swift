package import DataModel
package import Primitives

/// What all nodes agree on, at one epoch: who they are, where their data is, what the tables are.
///
/// An immutable value. Every change is a `MetadataEdit` that leads from one epoch to the next, and every node that
/// applies the same edits has the same value.
package struct ClusterMetadata: Hashable, Sendable {
    /// Counts the changes; the first value has epoch 1.
    package var epoch: UInt64
    /// Tells clusters of one name apart; made up when the cluster was founded.
    package var clusterID: UUID
    package var clusterName: String
    /// Ascending by id, those that have left included.
    package private(set) var members: [Member]
    /// Who decides the next epoch; ascending.
    package var voters: [NodeID]
    /// The keyspaces that all nodes share. Those of each node alone are never in it.
    package private(set) var schema: Schema
    /// The changes of the ring that are under way, in the order in which they began.
    package private(set) var changes: [RingChange]
    /// The epoch in which it last changed where data is: what requests are planned by.
    package private(set) var placementEpoch: UInt64

    /// So many changes of the ring may be under way at once, where they do not touch each other.
    package static let maximumChangeCount = 4

    /// The most members that are read. Far beyond any cluster, it keeps a damaged count from reserving memory.
    package static let maximumMemberCount = 100_000

    /// A cluster that starts with one node.
    package init(founder: Member, clusterID: UUID, clusterName: String, schema: Schema = Schema()) {
        self.epoch = 1
        self.clusterID = clusterID
        self.clusterName = clusterName
        self.members = [founder]
        self.voters = [founder.id]
        self.changes = []
        self.placementEpoch = 1
        self.schema = Schema()
        self.schema = ClusterMetadata.shared(schema)
        self.schema.epoch = 1
    }

    init(
        epoch: UInt64, clusterID: UUID, clusterName: String, members: [Member], voters: [NodeID], schema: Schema,
        changes: [RingChange] = [], placementEpoch: UInt64 = 0
    ) {
        self.epoch = epoch
        self.clusterID = clusterID
        self.clusterName = clusterName
        self.members = members.sorted { $0.id < $1.id }
        self.voters = voters.sorted()
        self.schema = schema
        self.changes = changes.sorted { ($0.beganEpoch, NodeID($0.id)) < ($1.beganEpoch, NodeID($1.id)) }
        self.placementEpoch = placementEpoch
    }

    package func member(_ id: NodeID) -> Member? { members.first { $0.id == id } }

    /// Adds a member or replaces the one of its id.
    package mutating func set(_ member: Member) {
        if let index = members.firstIndex(where: { $0.id == member.id }) {
            if !members[index].isPlacedAs(member) { placementEpoch = epoch &+ 1 }
            members[index] = member
        } else {
            let place: Int = members.firstIndex { $0.id > member.id } ?? members.count
            members.insert(member, at: place)
            placementEpoch = epoch &+ 1
        }
    }

    package func change(_ id: UUID) -> RingChange? { changes.first { $0.id == id } }

    /// Adds a change of the ring or replaces the one of its id.
    package mutating func set(_ change: RingChange) {
        placementEpoch = epoch &+ 1
        if let index = changes.firstIndex(where: { $0.id == change.id }) {
            changes[index] = change
        } else {
            changes.append(change)
            changes.sort { ($0.beganEpoch, NodeID($0.id)) < ($1.beganEpoch, NodeID($1.id)) }
        }
    }

    package mutating func removeChange(_ id: UUID) {
        placementEpoch = epoch &+ 1
        changes.removeAll { $0.id == id }
    }

    /// Replaces the schema by the keyspaces of `schema` that all nodes share, and gives it the version that follows
    /// from its contents.
    package mutating func set(_ schema: Schema) {
        let kept: ClusterMetadata = self
        self.schema = ClusterMetadata.shared(schema)
        guard self.schema.version != kept.schema.version || self.schema.keyspaces != kept.schema.keyspaces else {
            self.schema = kept.schema
            return
        }
        self.schema.epoch = epoch &+ 1
    }

    private static func shared(_ schema: Schema) -> Schema {
        var shared: Schema = schema
        shared.keyspaces = schema.keyspaces.filter { !$0.value.isLocal }
        shared.version = SchemaCodec.contentVersion(of: shared)
        return shared
    }

    /// How many voters a decision needs.
    package var majority: Int { voters.count / 2 + 1 }

    /// The value that an edit leads to.
    ///
    /// - Throws: when the edit is not for this epoch, or leads to what is no metadata.
    package func applying(_ edit: MetadataEdit) throws(DecodingError) -> ClusterMetadata {
        guard edit.epoch == epoch &+ 1 else { throw .invalid(offset: 0, what: "an edit of another epoch") }
        var entries: MetadataEntries = MetadataEntries(self)
        entries.apply(edit)
        return try entries.metadata(epoch: edit.epoch)
    }
}

extension Member {
    /// Whether data is in the same places with the one as with the other.
    fileprivate func isPlacedAs(_ other: Member) -> Bool {
        tokens == other.tokens && state == other.state && datacenter == other.datacenter && rack == other.rack
    }
}
