/// What the server says it is. Drivers choose their queries and features by these, so the release is one of
/// Cassandra's that has the same tables and protocol.
package enum ServerVersions {
    package static let release = "5.0.2"
    package static let cql = "3.4.7"
    package static let nativeProtocol = "5"
    package static let snitch = "SimpleSnitch"
    package static let partitioner = "org.apache.cassandra.dht.Murmur3Partitioner"
}
