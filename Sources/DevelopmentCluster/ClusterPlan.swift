package import Administration
package import DataModel

/// A datacenter and how many nodes it is to have, as `dc1:3` says.
package struct DatacenterSize: Equatable, Sendable {
    package var name: String
    package var count: Int

    package init(name: String, count: Int) {
        self.name = name
        self.count = count
    }

    /// - Parameter text: names and counts, with commas between: `dc1:3,dc2:3`.
    package static func parse(_ text: String) throws(ClusterFailure) -> [DatacenterSize] {
        var sizes: [DatacenterSize] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let halves: [Substring] = part.split(separator: ":", omittingEmptySubsequences: false)
            guard halves.count == 2, !halves[0].isEmpty, let count = Int(halves[1]), count > 0 else {
                throw ClusterFailure(
                    "Datacenters are NAME:COUNT with commas between, such as dc1:3,dc2:3, not \(text).")
            }
            if sizes.contains(where: { $0.name == halves[0] }) {
                throw ClusterFailure("The datacenter \(halves[0]) is named twice.")
            }
            sizes.append(DatacenterSize(name: String(halves[0]), count: count))
        }
        return sizes
    }
}

/// The ports at which every node listens, each at its own address.
package struct ClusterPorts: Equatable, Sendable {
    package var native: UInt16 = 9_042
    package var internode: UInt16 = 7_000
    package var admin: UInt16 = 7_199

    package init() {}

    var all: [UInt16] { [native, internode, admin] }
}

/// Which nodes a cluster has and what they are started with. Kept in the cluster's folder.
package struct ClusterPlan: Report {
    /// One node. Its number is its place in the cluster and the last part of its address, and is never given again.
    package struct Node: Equatable, Sendable {
        package let number: Int
        package let datacenter: String
        package let rack: String

        package var address: String { "127.0.0.\(number)" }
    }

    /// The last part of an address ends there, and so does what a laptop bears.
    package static let maximumNodeCount = 100
    /// Replicas spread over racks; with three of them, three replicas never share one.
    private static let rackCount = 3
    private static let seedCount = 3

    package private(set) var name: String
    package private(set) var ports: ClusterPorts
    /// `key=value` for each node's `--set`.
    package private(set) var settings: [String]
    /// Ascending by number.
    package private(set) var nodes: [Node] = []
    private var nextNumber = 1

    package init(
        name: String, datacenters: [DatacenterSize], ports: ClusterPorts = ClusterPorts(), settings: [String] = []
    ) throws(ClusterFailure) {
        self.name = name
        self.ports = ports
        self.settings = settings
        guard Set(ports.all).count == ports.all.count, !ports.all.contains(0) else {
            throw ClusterFailure("The three ports must be different, and none can be 0.")
        }
        for setting in settings where !setting.contains("=") {
            throw ClusterFailure("--set wants key=value, not \(setting).")
        }
        for size in datacenters {
            for _ in 0..<min(size.count, ClusterPlan.maximumNodeCount + 1) { _ = try add(to: size.name) }
        }
    }

    /// Adds a node.
    ///
    /// - Parameter datacenter: the one with the fewest nodes when nil.
    package mutating func add(to datacenter: String? = nil) throws(ClusterFailure) -> Node {
        guard nextNumber <= ClusterPlan.maximumNodeCount else {
            throw ClusterFailure("A cluster on one machine has at most \(ClusterPlan.maximumNodeCount) nodes.")
        }
        let sizes: [DatacenterSize] = datacenters
        let name: String = datacenter ?? sizes.min { $0.count < $1.count }?.name ?? "dc1"
        let place: Int = sizes.first { $0.name == name }?.count ?? 0
        let node = Node(number: nextNumber, datacenter: name, rack: "r\(place % ClusterPlan.rackCount + 1)")
        nodes.append(node)
        nextNumber += 1
        return node
    }

    /// Forgets a node; its number is not given again.
    package mutating func remove(_ number: Int) {
        nodes.removeAll { $0.number == number }
    }

    package func node(_ number: Int) throws(ClusterFailure) -> Node {
        if let node = nodes.first(where: { $0.number == number }) { return node }
        let numbers: String = nodes.map { String($0.number) }.joined(separator: ", ")
        throw ClusterFailure("There is no node \(number); the cluster has the nodes \(numbers).")
    }

    /// In the order in which they were named.
    package var datacenters: [DatacenterSize] {
        var sizes: [DatacenterSize] = []
        for node in nodes {
            if let place = sizes.firstIndex(where: { $0.name == node.datacenter }) {
                sizes[place].count += 1
            } else {
                sizes.append(DatacenterSize(name: node.datacenter, count: 1))
            }
        }
        return sizes
    }

    /// What each node asks for the cluster: the first node of each datacenter, then others, up to three.
    package var seeds: [String] {
        let firsts: [Node] = datacenters.compactMap { size in nodes.first { $0.datacenter == size.name } }
        let others: [Node] = nodes.filter { node in !firsts.contains { $0.number == node.number } }
        return (firsts + others).prefix(ClusterPlan.seedCount).sorted { $0.number < $1.number }.map(\.address)
    }

    /// The command line of a node, without the program.
    package func arguments(of node: Node, dataDirectory: String) -> [String] {
        var arguments: [String] = ["node", "--data-dir", dataDirectory, "--listen", node.address]
        arguments += ["--native-port", String(ports.native), "--internode-port", String(ports.internode)]
        arguments += ["--admin-port", String(ports.admin), "--seeds", seeds.joined(separator: ",")]
        arguments += ["--cluster-name", name, "--dc", node.datacenter, "--rack", node.rack]
        // Several nodes share the machine: each has one thread, and less memory than a node that is alone.
        for setting in ClusterPlan.smallSettings + settings { arguments += ["--set", setting] }
        return arguments
    }

    package static let smallSettings: [String] = ["shards=1", "memtable_heap_space=64MiB", "file_cache_size=32MiB"]

    // MARK: The form in the folder

    package init(json: JSONValue) throws(MalformedReport) {
        let record = try JSONRecord(json)
        self.name = try record.text("name")
        self.settings = try record.texts("settings")
        self.nextNumber = try record.integer("next_number")
        var ports = ClusterPorts()
        ports.native = try ClusterPlan.port(record, "native_port")
        ports.internode = try ClusterPlan.port(record, "internode_port")
        ports.admin = try ClusterPlan.port(record, "admin_port")
        self.ports = ports
        for value in try record.list("nodes") {
            let entry = try JSONRecord(value)
            let number: Int = try entry.integer("number")
            guard number > (nodes.last?.number ?? 0), number < nextNumber, number <= ClusterPlan.maximumNodeCount else {
                throw MalformedReport("The numbers of the nodes are not ascending.")
            }
            nodes.append(Node(number: number, datacenter: try entry.text("datacenter"), rack: try entry.text("rack")))
        }
    }

    package var json: JSONValue {
        .record([
            "name": .string(name), "native_port": .integer(Int(ports.native)),
            "internode_port": .integer(Int(ports.internode)), "admin_port": .integer(Int(ports.admin)),
            "settings": .texts(settings), "next_number": .integer(nextNumber),
            "nodes": .array(
                nodes.map { node in
                    .record([
                        "number": .integer(node.number), "datacenter": .string(node.datacenter),
                        "rack": .string(node.rack),
                    ])
                }),
        ])
    }

    private static func port(_ record: JSONRecord, _ name: String) throws(MalformedReport) -> UInt16 {
        guard let port = UInt16(exactly: try record.integer(name)), port > 0 else {
            throw MalformedReport("The member \"\(name)\" is not a port.")
        }
        return port
    }
}
