import Administration

/// The cluster, in the form of Cassandra's `describecluster`.
enum ClusterText {
    static func describe(_ report: ClusterReport, withPorts: Bool) -> String {
        func list(_ endpoints: [Endpoint]) -> String {
            "[" + endpoints.map { $0.text(withPort: withPorts) }.joined(separator: ", ") + "]"
        }
        var text = "Cluster Information:\n\tName: \(report.name)\n\tSnitch: \(report.snitch)\n"
        text += "\tDynamicEndPointSnitch: \(report.isSnitchDynamic ? "enabled" : "disabled")\n"
        text += "\tPartitioner: \(report.partitioner)\n\tSchema versions:\n"
        for holders in report.schemaVersions { text += "\t\t\(holders.version): \(list(holders.endpoints))\n\n" }
        if !report.unreachable.isEmpty { text += "\t\tUNREACHABLE: \(list(report.unreachable))\n\n" }
        text += "Stats for all nodes:\n\tLive: \(report.liveCount)\n\tJoining: \(report.joiningCount)\n"
        text += "\tMoving: \(report.movingCount)\n\tLeaving: \(report.leavingCount)\n"
        text += "\tUnreachable: \(report.unreachable.count)\n\nData Centers: \n"
        for datacenter in report.datacenters {
            text += "\t\(datacenter.name) #Nodes: \(datacenter.nodeCount) #Down: \(datacenter.downCount)\n"
        }
        text += "\nDatabase versions:\n"
        for holders in report.releaseVersions { text += "\t\(holders.version): \(list(holders.endpoints))\n\n" }
        text += "Keyspaces:\n"
        for keyspace in report.keyspaces {
            let options: String = keyspace.options.map { "\($0.name)=\($0.value)" }.joined(separator: ", ")
            text += "\t\(keyspace.name) -> Replication class: \(keyspace.replicationClass) {\(options)}\n"
        }
        text += "\nCluster Metadata:\n\tCluster ID: \(report.clusterID)\n\tEpoch: \(report.epoch)\n"
        return text + "\tVoters: [\(report.voters.joined(separator: ", "))]\n"
    }
}
