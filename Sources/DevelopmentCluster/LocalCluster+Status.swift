package import Administration
package import DataModel

/// How the nodes of a cluster are, for whoever runs it.
package struct ClusterStatus: Report {
    package enum State: String, Sendable {
        /// It answers CQL.
        case up
        /// Its process runs and does not answer CQL.
        case starting
        /// It is out of the ring; its process runs on without clients.
        case left
        /// It has no process.
        case down
    }

    package struct Node: Report {
        package var number: Int
        package var address: String
        package var port: Int
        package var datacenter: String
        package var rack: String
        package var process: Int?
        package var state: State

        package init(
            number: Int, address: String, port: Int, datacenter: String, rack: String, process: Int?, state: State
        ) {
            self.number = number
            self.address = address
            self.port = port
            self.datacenter = datacenter
            self.rack = rack
            self.process = process
            self.state = state
        }

        package init(json: JSONValue) throws(MalformedReport) {
            let record = try JSONRecord(json)
            guard let state = State(rawValue: try record.text("state")) else {
                throw MalformedReport("The state of a node is unknown.")
            }
            self.init(
                number: try record.integer("number"), address: try record.text("address"),
                port: try record.integer("native_port"), datacenter: try record.text("datacenter"),
                rack: try record.text("rack"), process: try record.optionalInteger("process"), state: state)
        }

        package var json: JSONValue {
            .record([
                "number": .integer(number), "address": .string(address), "native_port": .integer(port),
                "datacenter": .string(datacenter), "rack": .string(rack), "process": .optional(process),
                "state": .string(state.rawValue),
            ])
        }
    }

    package var nodes: [Node]

    package init(nodes: [Node]) {
        self.nodes = nodes
    }

    package init(json: JSONValue) throws(MalformedReport) {
        self.init(nodes: try JSONRecord(json).reports("nodes", of: Node.self))
    }

    package var json: JSONValue { .record(["nodes": .array(nodes.map(\.json))]) }

    /// For programs.
    package var jsonText: String { json.indentedText + "\n" }

    /// For people.
    package var text: String {
        var table = TextTable(separator: "  ")
        table.add("Node", "State", "Address", "Datacenter", "Rack", "Process")
        for node in nodes {
            table.add(
                String(node.number), node.state.rawValue, "\(node.address):\(node.port)", node.datacenter, node.rack,
                node.process.map { String($0) } ?? "-")
        }
        return table.text()
    }
}

extension LocalCluster {
    /// Whether a node that runs says that it is out of the ring.
    func hasLeft(_ node: ClusterPlan.Node, _ plan: ClusterPlan) async -> Bool {
        let client = AdminClient(node.address, port: plan.ports.admin, timeout: .seconds(2), host: host)
        return (try? await client.get("/info", as: NodeReport.self))?.state == .left
    }

    /// Whether the nodes that run know a ring without this one; nil when none of them can be asked.
    func isGone(_ node: ClusterPlan.Node, _ plan: ClusterPlan) async -> Bool? {
        for other in plan.nodes where other.number != node.number {
            guard await runningProcess(of: other) != nil else { continue }
            let client = AdminClient(other.address, port: plan.ports.admin, timeout: .seconds(2), host: host)
            guard let ring = try? await client.get("/status", as: RingReport.self) else { continue }
            return !ring.nodes.contains { $0.endpoint.address == node.address }
        }
        return nil
    }

    package func status() async throws(ClusterFailure) -> ClusterStatus {
        let plan: ClusterPlan = try await knownPlan()
        var nodes: [ClusterStatus.Node] = []
        for node in plan.nodes {
            let process: Int32? = await runningProcess(of: node)
            var state = ClusterStatus.State.down
            if process != nil {
                if await answers(address(node, plan.ports.native)) {
                    state = .up
                } else {
                    state = await hasLeft(node, plan) ? .left : .starting
                }
            }
            nodes.append(
                ClusterStatus.Node(
                    number: node.number, address: node.address, port: Int(plan.ports.native),
                    datacenter: node.datacenter, rack: node.rack, process: process.map { Int($0) }, state: state))
        }
        return ClusterStatus(nodes: nodes)
    }
}
