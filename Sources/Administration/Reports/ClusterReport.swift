package import DataModel

/// The cluster as one node sees it (`nodetool describecluster`).
package struct ClusterReport: Report {
    /// A version of something and the nodes that have it.
    package struct VersionHolders: Report {
        package var version: String
        package var endpoints: [Endpoint]

        package init(version: String, endpoints: [Endpoint]) {
            self.version = version
            self.endpoints = endpoints.sorted()
        }

        package init(json: JSONValue) throws(MalformedReport) {
            let record = try JSONRecord(json)
            self.init(version: try record.text("version"), endpoints: try record.endpoints("nodes"))
        }

        package var json: JSONValue {
            .record(["version": .string(version), "nodes": .array(endpoints.map(\.json))])
        }
    }

    package struct Datacenter: Report {
        package var name: String
        package var nodeCount: Int
        package var downCount: Int

        package init(name: String, nodeCount: Int, downCount: Int) {
            self.name = name
            self.nodeCount = nodeCount
            self.downCount = downCount
        }

        package init(json: JSONValue) throws(MalformedReport) {
            let record = try JSONRecord(json)
            self.init(
                name: try record.text("name"), nodeCount: try record.integer("nodes"),
                downCount: try record.integer("down"))
        }

        package var json: JSONValue {
            .record(["name": .string(name), "nodes": .integer(nodeCount), "down": .integer(downCount)])
        }
    }

    /// A keyspace and how it is replicated.
    package struct Keyspace: Report {
        package var name: String
        /// Without its Java package.
        package var replicationClass: String
        /// By name.
        package var options: [HTTPRequest.Parameter]

        package init(name: String, replicationClass: String, options: [HTTPRequest.Parameter]) {
            self.name = name
            self.replicationClass = replicationClass
            self.options = options.sorted { $0.name < $1.name }
        }

        package init(json: JSONValue) throws(MalformedReport) {
            let record = try JSONRecord(json)
            var options: [HTTPRequest.Parameter] = []
            guard case .object(let members)? = record["options"] else { throw MalformedReport("Options are missing.") }
            for member in members {
                guard case .string(let value) = member.value else { throw MalformedReport("An option is no text.") }
                options.append(HTTPRequest.Parameter(member.name, value))
            }
            self.init(
                name: try record.text("name"), replicationClass: try record.text("replication_class"), options: options)
        }

        package var json: JSONValue {
            .record([
                "name": .string(name), "replication_class": .string(replicationClass),
                "options": .object(options.map { JSONValue.Member(name: $0.name, value: .string($0.value)) }),
            ])
        }
    }

    package var name: String
    package var clusterID: String
    package var snitch: String
    /// Whether replicas are chosen by how quickly they answered.
    package var isSnitchDynamic: Bool
    package var partitioner: String
    /// The epoch of the metadata, and the host ids of the nodes that decide about the next one.
    package var epoch: Int
    package var voters: [String]
    package var schemaVersions: [VersionHolders]
    /// Nodes of which nobody knows what they have.
    package var unreachable: [Endpoint]
    package var liveCount: Int
    package var joiningCount: Int
    package var movingCount: Int
    package var leavingCount: Int
    package var datacenters: [Datacenter]
    package var releaseVersions: [VersionHolders]
    /// By name.
    package var keyspaces: [Keyspace]

    package init(
        name: String, clusterID: String, snitch: String, isSnitchDynamic: Bool, partitioner: String, epoch: Int,
        voters: [String], schemaVersions: [VersionHolders], unreachable: [Endpoint], liveCount: Int,
        joiningCount: Int, movingCount: Int, leavingCount: Int, datacenters: [Datacenter],
        releaseVersions: [VersionHolders],
        keyspaces: [Keyspace]
    ) {
        self.name = name
        self.clusterID = clusterID
        self.snitch = snitch
        self.isSnitchDynamic = isSnitchDynamic
        self.partitioner = partitioner
        self.epoch = epoch
        self.voters = voters
        self.schemaVersions = schemaVersions
        self.unreachable = unreachable.sorted()
        self.liveCount = liveCount
        self.joiningCount = joiningCount
        self.movingCount = movingCount
        self.leavingCount = leavingCount
        self.datacenters = datacenters
        self.releaseVersions = releaseVersions
        self.keyspaces = keyspaces.sorted { $0.name < $1.name }
    }

    package init(json: JSONValue) throws(MalformedReport) {
        let record = try JSONRecord(json)
        self.init(
            name: try record.text("name"), clusterID: try record.text("cluster_id"),
            snitch: try record.text("snitch"), isSnitchDynamic: try record.boolean("dynamic_snitch"),
            partitioner: try record.text("partitioner"),
            epoch: try record.integer("metadata_epoch"), voters: try record.texts("voters"),
            schemaVersions: try record.reports("schema_versions", of: VersionHolders.self),
            unreachable: try record.endpoints("unreachable"), liveCount: try record.integer("live"),
            joiningCount: try record.integer("joining"), movingCount: try record.integer("moving"),
            leavingCount: try record.integer("leaving"),
            datacenters: try record.reports("datacenters", of: Datacenter.self),
            releaseVersions: try record.reports("release_versions", of: VersionHolders.self),
            keyspaces: try record.reports("keyspaces", of: Keyspace.self))
    }

    package var json: JSONValue {
        .record([
            "name": .string(name), "cluster_id": .string(clusterID), "snitch": .string(snitch),
            "dynamic_snitch": .boolean(isSnitchDynamic), "partitioner": .string(partitioner),
            "metadata_epoch": .integer(epoch), "voters": .texts(voters),
            "schema_versions": .array(schemaVersions.map(\.json)), "unreachable": .array(unreachable.map(\.json)),
            "live": .integer(liveCount), "joining": .integer(joiningCount), "moving": .integer(movingCount),
            "leaving": .integer(leavingCount), "datacenters": .array(datacenters.map(\.json)),
            "release_versions": .array(releaseVersions.map(\.json)), "keyspaces": .array(keyspaces.map(\.json)),
        ])
    }
}

extension Endpoint {
    var json: JSONValue { .record(["address": .string(address), "port": .integer(port)]) }

    init(json: JSONValue) throws(MalformedReport) {
        let record = try JSONRecord(json)
        self.init(try record.text("address"), try record.integer("port"))
    }
}

extension JSONRecord {
    func endpoints(_ name: String) throws(MalformedReport) -> [Endpoint] {
        var endpoints: [Endpoint] = []
        for value in try list(name) { endpoints.append(try Endpoint(json: value)) }
        return endpoints
    }
}
