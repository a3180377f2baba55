package import DataModel

/// What a node knows of each node from gossip (`nodetool gossipinfo`).
package struct GossipReport: Report {
    package struct Value: Report {
        package var name: String
        package var version: Int
        package var value: String

        package init(name: String, version: Int, value: String) {
            self.name = name
            self.version = version
            self.value = value
        }

        package init(json: JSONValue) throws(MalformedReport) {
            let record = try JSONRecord(json)
            self.init(
                name: try record.text("name"), version: try record.integer("version"),
                value: try record.text("value"))
        }

        package var json: JSONValue {
            .record(["name": .string(name), "version": .integer(version), "value": .string(value)])
        }
    }

    package struct Node: Report {
        package var id: String
        package var endpoint: Endpoint
        package var isUp: Bool
        package var generation: Int
        package var heartbeat: Int
        package var values: [Value]

        package init(
            id: String, endpoint: Endpoint, isUp: Bool, generation: Int, heartbeat: Int, values: [Value]
        ) {
            self.id = id
            self.endpoint = endpoint
            self.isUp = isUp
            self.generation = generation
            self.heartbeat = heartbeat
            self.values = values
        }

        package init(json: JSONValue) throws(MalformedReport) {
            let record = try JSONRecord(json)
            self.init(
                id: try record.text("host_id"),
                endpoint: Endpoint(try record.text("address"), try record.integer("port")),
                isUp: try record.text("status") == "up", generation: try record.integer("generation"),
                heartbeat: try record.integer("heartbeat"), values: try record.reports("values", of: Value.self))
        }

        package var json: JSONValue {
            .record([
                "host_id": .string(id), "address": .string(endpoint.address), "port": .integer(endpoint.port),
                "status": .string(isUp ? "up" : "down"), "generation": .integer(generation),
                "heartbeat": .integer(heartbeat), "values": .array(values.map(\.json)),
            ])
        }
    }

    /// By address.
    package var nodes: [Node]

    package init(nodes: [Node]) {
        self.nodes = nodes.sorted { $0.endpoint < $1.endpoint }
    }

    package init(json: JSONValue) throws(MalformedReport) {
        self.init(nodes: try JSONRecord(json).reports("nodes", of: Node.self))
    }

    package var json: JSONValue { .record(["nodes": .array(nodes.map(\.json))]) }
}

/// How sure the failure detector is of each other node (`nodetool failuredetector`).
package struct DetectorReport: Report {
    package struct Node: Report {
        package var endpoint: Endpoint
        package var isUp: Bool
        package var phi: Double
        package var meanIntervalMilliseconds: Double

        package init(endpoint: Endpoint, isUp: Bool, phi: Double, meanIntervalMilliseconds: Double) {
            self.endpoint = endpoint
            self.isUp = isUp
            self.phi = phi
            self.meanIntervalMilliseconds = meanIntervalMilliseconds
        }

        package init(json: JSONValue) throws(MalformedReport) {
            let record = try JSONRecord(json)
            self.init(
                endpoint: Endpoint(try record.text("address"), try record.integer("port")),
                isUp: try record.text("status") == "up", phi: try record.decimal("phi"),
                meanIntervalMilliseconds: try record.decimal("mean_interval_ms"))
        }

        package var json: JSONValue {
            .record([
                "address": .string(endpoint.address), "port": .integer(endpoint.port),
                "status": .string(isUp ? "up" : "down"), "phi": .decimal(phi),
                "mean_interval_ms": .decimal(meanIntervalMilliseconds),
            ])
        }
    }

    /// By address.
    package var nodes: [Node]

    package init(nodes: [Node]) {
        self.nodes = nodes.sorted { $0.endpoint < $1.endpoint }
    }

    package init(json: JSONValue) throws(MalformedReport) {
        self.init(nodes: try JSONRecord(json).reports("nodes", of: Node.self))
    }

    package var json: JSONValue { .record(["nodes": .array(nodes.map(\.json))]) }
}
