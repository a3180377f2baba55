package import Administration
package import DataModel

/// How the nodes of a cluster are, for whoever runs it.
package struct ClusterStatus: Report {
    package enum State: String, Sendable {
        /// It answers CQL.
        case up
        /// Its process runs and does not answer CQL.
        case starting
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
    package func status() async throws(ClusterFailure) -> ClusterStatus {
        let plan: ClusterPlan = try await knownPlan()
        var nodes: [ClusterStatus.Node] = []
        for node in plan.nodes {
            let process: Int32? = await runningProcess(of: node)
            var state = ClusterStatus.State.down
            if process != nil { state = await answers(address(node, plan.ports.native)) ? .up : .starting }
            nodes.append(
                ClusterStatus.Node(
                    number: node.number, address: node.address, port: Int(plan.ports.native),
                    datacenter: node.datacenter, rack: node.rack, process: process.map { Int($0) }, state: state))
        }
        return ClusterStatus(nodes: nodes)
    }
}
