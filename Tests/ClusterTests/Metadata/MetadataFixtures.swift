import Cluster
import DataModel
import Primitives

let clusterID = UUID(high: 7, low: 9)

/// A cluster of the members 1 to `count`, all of them normal, decided by `voters`.
func metadata(_ count: Int, voters: [Int] = [1]) -> ClusterMetadata {
    var value = ClusterMetadata(founder: member(1, tokens: [1]), clusterID: clusterID, clusterName: "test")
    for number in stride(from: 2, through: count, by: 1) { value.set(member(number, tokens: [Int64(number)])) }
    value.voters = voters.map { node($0) }
    return value
}

/// The same value with one more keyspace.
func adding(_ keyspace: String, to value: ClusterMetadata) -> ClusterMetadata {
    var schema: Schema = value.schema
    let replication = ["class": "org.apache.cassandra.locator.SimpleStrategy", "replication_factor": "3"]
    schema.keyspaces[keyspace] = KeyspaceDefinition(name: keyspace, replication: replication)
    var next: ClusterMetadata = value
    next.set(schema)
    return next
}

/// A keyspace with types in types, and a table that uses them.
func richKeyspace(_ name: String) -> KeyspaceDefinition {
    var keyspace = KeyspaceDefinition(
        name: name,
        replication: ["class": "org.apache.cassandra.locator.NetworkTopologyStrategy", "dc1": "3"])
    let inner = UserDefinedType(keyspace: name, name: "z_inner", fieldNames: ["a"], fieldTypes: [.int])
    let outer = UserDefinedType(
        keyspace: name, name: "a_outer", fieldNames: ["b", "c"],
        fieldTypes: [.userDefined(inner, isMultiCell: false), .list(.text, isMultiCell: false)])
    keyspace.types = ["z_inner": inner, "a_outer": outer]
    let columns: [ColumnDefinition] = [
        ColumnDefinition(name: "k", kind: .partitionKey, type: .text),
        ColumnDefinition(name: "v", id: 1, kind: .regular, type: .userDefined(outer, isMultiCell: false)),
    ]
    keyspace.tables["t"] = TableDefinition(
        keyspace: name, name: "t", id: UUID(high: 1, low: 2), columns: columns, nextColumnID: 2)
    return keyspace
}
