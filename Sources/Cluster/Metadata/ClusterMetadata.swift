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

    /// The most members that are read. Far beyond any cluster, it keeps a damaged count from reserving memory.
    package static let maximumMemberCount = 100_000

    /// A cluster that starts with one node.
    package init(founder: Member, clusterID: UUID, clusterName: String, schema: Schema = Schema()) {
        self.epoch = 1
        self.clusterID = clusterID
        self.clusterName = clusterName
        self.members = [founder]
        self.voters = [founder.id]
        self.schema = Schema()
        self.schema = ClusterMetadata.shared(schema)
        self.schema.epoch = 1
    }

    init(
        epoch: UInt64, clusterID: UUID, clusterName: String, members: [Member], voters: [NodeID], schema: Schema
    ) {
        self.epoch = epoch
        self.clusterID = clusterID
        self.clusterName = clusterName
        self.members = members.sorted { $0.id < $1.id }
        self.voters = voters.sorted()
        self.schema = schema
    }

    package func member(_ id: NodeID) -> Member? { members.first { $0.id == id } }

    /// Adds a member or replaces the one of its id.
    package mutating func set(_ member: Member) {
        if let index = members.firstIndex(where: { $0.id == member.id }) {
            members[index] = member
        } else {
            let place: Int = members.firstIndex { $0.id > member.id } ?? members.count
            members.insert(member, at: place)
        }
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
