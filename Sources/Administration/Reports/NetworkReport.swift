package import DataModel

/// The messages between this node and the others (`nodetool netstats`).
package struct NetworkReport: Report {
    /// Messages of one kind, all peers together.
    package struct Pool: Report {
        package var name: String
        /// Requests that wait for their answer.
        package var pending: Int
        /// Messages that were sent.
        package var completed: Int
        package var dropped: Int

        package init(name: String, pending: Int, completed: Int, dropped: Int) {
            self.name = name
            self.pending = pending
            self.completed = completed
            self.dropped = dropped
        }

        package init(json: JSONValue) throws(MalformedReport) {
            let record = try JSONRecord(json)
            self.init(
                name: try record.text("name"), pending: try record.integer("pending"),
                completed: try record.integer("completed"), dropped: try record.integer("dropped"))
        }

        package var json: JSONValue {
            .record([
                "name": .string(name), "pending": .integer(pending), "completed": .integer(completed),
                "dropped": .integer(dropped),
            ])
        }
    }

    /// What has gone between this node and one other over one lane.
    package struct Peer: Report {
        package var endpoint: Endpoint
        package var lane: String
        package var connections: Int
        package var sentMessages: Int
        package var sentBytes: Int
        package var receivedMessages: Int
        package var receivedBytes: Int
        package var timedOut: Int
        package var failed: Int
        package var dropped: Int
        package var pendingRequests: Int
        package var pendingBytes: Int

        package init(
            endpoint: Endpoint, lane: String, connections: Int, sentMessages: Int, sentBytes: Int,
            receivedMessages: Int, receivedBytes: Int, timedOut: Int, failed: Int, dropped: Int, pendingRequests: Int,
            pendingBytes: Int
        ) {
            self.endpoint = endpoint
            self.lane = lane
            self.connections = connections
            self.sentMessages = sentMessages
            self.sentBytes = sentBytes
            self.receivedMessages = receivedMessages
            self.receivedBytes = receivedBytes
            self.timedOut = timedOut
            self.failed = failed
            self.dropped = dropped
            self.pendingRequests = pendingRequests
            self.pendingBytes = pendingBytes
        }

        package init(json: JSONValue) throws(MalformedReport) {
            let record = try JSONRecord(json)
            self.init(
                endpoint: Endpoint(try record.text("address"), try record.integer("port")),
                lane: try record.text("lane"), connections: try record.integer("connections"),
                sentMessages: try record.integer("sent_messages"), sentBytes: try record.integer("sent_bytes"),
                receivedMessages: try record.integer("received_messages"),
                receivedBytes: try record.integer("received_bytes"), timedOut: try record.integer("timed_out"),
                failed: try record.integer("failed"), dropped: try record.integer("dropped"),
                pendingRequests: try record.integer("pending_requests"),
                pendingBytes: try record.integer("pending_bytes"))
        }

        package var json: JSONValue {
            .record([
                "address": .string(endpoint.address), "port": .integer(endpoint.port), "lane": .string(lane),
                "connections": .integer(connections), "sent_messages": .integer(sentMessages),
                "sent_bytes": .integer(sentBytes), "received_messages": .integer(receivedMessages),
                "received_bytes": .integer(receivedBytes), "timed_out": .integer(timedOut),
                "failed": .integer(failed), "dropped": .integer(dropped),
                "pending_requests": .integer(pendingRequests), "pending_bytes": .integer(pendingBytes),
            ])
        }
    }

    /// STARTING, JOINING, NORMAL, MOVING, LEAVING, DECOMMISSIONED, DRAINING or DRAINED.
    package var mode: String
    /// Read repairs that were begun, and differences between replicas that were found: before the client's answer, and
    /// after it; nil where they are not counted.
    package var readRepairsAttempted: Int?
    package var readRepairsBlocking: Int?
    package var readRepairsBackground: Int?
    package var pools: [Pool]
    /// By address and lane.
    package var peers: [Peer]

    package init(
        mode: String, readRepairsAttempted: Int?, readRepairsBlocking: Int?, readRepairsBackground: Int?, pools: [Pool],
        peers: [Peer]
    ) {
        self.mode = mode
        self.readRepairsAttempted = readRepairsAttempted
        self.readRepairsBlocking = readRepairsBlocking
        self.readRepairsBackground = readRepairsBackground
        self.pools = pools
        self.peers = peers.sorted { ($0.endpoint, $0.lane) < ($1.endpoint, $1.lane) }
    }

    package init(json: JSONValue) throws(MalformedReport) {
        let record = try JSONRecord(json)
        self.init(
            mode: try record.text("mode"), readRepairsAttempted: try record.optionalInteger("read_repairs_attempted"),
            readRepairsBlocking: try record.optionalInteger("read_repairs_blocking"),
            readRepairsBackground: try record.optionalInteger("read_repairs_background"),
            pools: try record.reports("pools", of: Pool.self), peers: try record.reports("peers", of: Peer.self))
    }

    package var json: JSONValue {
        .record([
            "mode": .string(mode), "read_repairs_attempted": .optional(readRepairsAttempted),
            "read_repairs_blocking": .optional(readRepairsBlocking),
            "read_repairs_background": .optional(readRepairsBackground), "pools": .array(pools.map(\.json)),
            "peers": .array(peers.map(\.json)),
        ])
    }
}
