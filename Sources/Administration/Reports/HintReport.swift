package import DataModel

/// Whether hints are stored and delivered (`nodetool statushandoff`).
package struct HandoffReport: Report {
    package var isEnabled: Bool
    package var disabledDatacenters: [String]

    package init(isEnabled: Bool, disabledDatacenters: [String]) {
        self.isEnabled = isEnabled
        self.disabledDatacenters = disabledDatacenters
    }

    package init(json: JSONValue) throws(MalformedReport) {
        let record = try JSONRecord(json)
        self.init(
            isEnabled: try record.boolean("enabled"), disabledDatacenters: try record.texts("disabled_datacenters"))
    }

    package var json: JSONValue {
        .record(["enabled": .boolean(isEnabled), "disabled_datacenters": .texts(disabledDatacenters)])
    }
}

/// The hints that wait on a node (`nodetool listpendinghints`).
package struct PendingHintsReport: Report {
    package struct Target: Report {
        package var id: String
        /// Nil for a node that is no member any more, as are datacenter and rack.
        package var endpoint: Endpoint?
        package var datacenter: String?
        package var rack: String?
        package var isUp: Bool
        package var fileCount: Int
        package var byteCount: Int
        package var oldestMicroseconds: Int?
        package var newestMicroseconds: Int?

        package init(
            id: String, endpoint: Endpoint?, datacenter: String?, rack: String?, isUp: Bool, fileCount: Int,
            byteCount: Int, oldestMicroseconds: Int?, newestMicroseconds: Int?
        ) {
            self.id = id
            self.endpoint = endpoint
            self.datacenter = datacenter
            self.rack = rack
            self.isUp = isUp
            self.fileCount = fileCount
            self.byteCount = byteCount
            self.oldestMicroseconds = oldestMicroseconds
            self.newestMicroseconds = newestMicroseconds
        }

        package init(json: JSONValue) throws(MalformedReport) {
            let record = try JSONRecord(json)
            var endpoint: Endpoint?
            if let address = try record.optionalText("address") {
                endpoint = Endpoint(address, try record.integer("port"))
            }
            self.init(
                id: try record.text("host_id"), endpoint: endpoint, datacenter: try record.optionalText("datacenter"),
                rack: try record.optionalText("rack"), isUp: try record.text("status") == "up",
                fileCount: try record.integer("files"), byteCount: try record.integer("bytes"),
                oldestMicroseconds: try record.optionalInteger("oldest_us"),
                newestMicroseconds: try record.optionalInteger("newest_us"))
        }

        package var json: JSONValue {
            .record([
                "host_id": .string(id), "address": .optional(endpoint?.address), "port": .optional(endpoint?.port),
                "datacenter": .optional(datacenter), "rack": .optional(rack),
                "status": .string(isUp ? "up" : "down"), "files": .integer(fileCount), "bytes": .integer(byteCount),
                "oldest_us": .optional(oldestMicroseconds), "newest_us": .optional(newestMicroseconds),
            ])
        }
    }

    /// By host id.
    package var targets: [Target]

    package init(targets: [Target]) {
        self.targets = targets.sorted { $0.id < $1.id }
    }

    package init(json: JSONValue) throws(MalformedReport) {
        self.init(targets: try JSONRecord(json).reports("targets", of: Target.self))
    }

    package var json: JSONValue { .record(["targets": .array(targets.map(\.json))]) }
}

/// The replicas of a partition (`nodetool getendpoints`).
package struct ReplicasReport: Report {
    package var token: Int64
    /// In the order of the ring.
    package var endpoints: [Endpoint]

    package init(token: Int64, endpoints: [Endpoint]) {
        self.token = token
        self.endpoints = endpoints
    }

    package init(json: JSONValue) throws(MalformedReport) {
        let record = try JSONRecord(json)
        guard let token = Int64(try record.text("token")) else { throw MalformedReport("A token is not a number.") }
        self.init(token: token, endpoints: try record.endpoints("endpoints"))
    }

    package var json: JSONValue {
        .record(["token": .string(String(token)), "endpoints": .array(endpoints.map(\.json))])
    }
}
