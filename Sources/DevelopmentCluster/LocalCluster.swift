import Administration
import DataModel
package import Environment

/// A cluster for development: one process a node, on this machine, at 127.0.0.1, 127.0.0.2 and so on.
///
///     FOLDER/cluster.json      which nodes there are, and their settings
///     FOLDER/node1/            martlet.pid   martlet.log   data/
///
/// Everything is in the folder and in the processes, so that each command may be a process of its own. A command has the
/// folder for itself (`lockDirectory`) while it decides what there is to be and begins it, and not while it waits for
/// nodes: a node can be killed while another one joins. A process that is noted in a pid file and does not run this node
/// is left alone.
package struct LocalCluster: Sendable {
    /// How long things may take.
    package struct Patience: Sendable {
        package var start: Duration = .seconds(120)
        /// For a new node to fetch its data, or for one to hand over what it has.
        package var move: Duration = .seconds(3_600)
        package var stop: Duration = .seconds(60)
        package var kill: Duration = .seconds(10)
        /// For the nodes to see each other, once they answer.
        package var greeting: Duration = .seconds(15)
        /// For another command to be done with the folder.
        package var turn: Duration = .seconds(10)
        package var interval: Duration = .milliseconds(100)

        package init() {}
    }

    let folder: String
    let host: Host
    let processes: any NodeProcesses
    let patience: Patience
    /// Whether somebody answers CQL at an address.
    let answers: @Sendable (SocketAddress) async -> Bool
    /// Tells the person who waits what happens.
    let say: @Sendable (String) -> Void

    /// - Parameter folder: an absolute path: nodes are known by it.
    package init(
        folder: String, host: Host, processes: any NodeProcesses, patience: Patience = Patience(),
        answers: (@Sendable (SocketAddress) async -> Bool)? = nil, say: @escaping @Sendable (String) -> Void
    ) {
        self.folder = folder
        self.host = host
        self.processes = processes
        self.patience = patience
        self.answers = answers ?? { await CQLProbe.answers(at: $0, host) }
        self.say = say
    }

    // MARK: Commands

    /// Starts all nodes that do not run, of the cluster that is there or of a new one; returns when they answer CQL.
    ///
    /// - Parameter wanted: what a new cluster is to be; it must not contradict the one that is there.
    package func up(_ wanted: ClusterPlan, mustMatch: Bool) async throws(ClusterFailure) {
        try await SmallFile.attempt { () async throws(DiskError) in try await host.disk.createDirectory(folder) }
        let begun: Begun = try await alone { () async throws(ClusterFailure) in
            try await beginAll(wanted, mustMatch: mustMatch)
        }
        try await finish(begun)
    }

    private func beginAll(_ wanted: ClusterPlan, mustMatch: Bool) async throws(ClusterFailure) -> Begun {
        let plan: ClusterPlan
        if let known = try await loadPlan() {
            if mustMatch, known.datacenters != wanted.datacenters {
                let sizes: String = known.datacenters.map { "\($0.name):\($0.count)" }.joined(separator: ",")
                throw ClusterFailure(
                    "\(folder) holds another cluster, \(sizes). Start that one with up alone, or destroy it first.")
            }
            plan = known
        } else {
            plan = wanted
            try await store(plan)
        }
        var idle: [ClusterPlan.Node] = []
        var starting: [Started] = []
        for node in plan.nodes {
            guard let process = await runningProcess(of: node) else {
                idle.append(node)
                continue
            }
            // Another command has started it.
            if await answers(address(node, plan.ports.native)) { continue }
            starting.append(Started(node: node, place: nodeFolder(node), process: process, logStart: 0))
        }
        if idle.isEmpty {
            say("All \(plan.nodes.count) nodes are running already.")
        }
        let begun: Begun = try await begin(idle, of: plan)
        return Begun(plan: plan, nodes: begun.nodes + starting, limit: begun.limit)
    }

    /// - Parameter replaces: whether the nodes, whose data are gone, take their own places again as new nodes.
    package func start(_ numbers: [Int], replaces: Bool = false) async throws(ClusterFailure) {
        _ = try await knownPlan()
        // Those that take their own places do so one after the other: each fetches what the others have.
        let groups: [[Int]] = replaces ? numbers.map { [$0] } : [numbers]
        for group in groups {
            let begun: Begun = try await alone { () async throws(ClusterFailure) in
                try await begin(group, replaces: replaces)
            }
            try await finish(begun)
        }
    }

    private func begin(_ numbers: [Int], replaces: Bool) async throws(ClusterFailure) -> Begun {
        let plan: ClusterPlan = try await knownPlan()
        var nodes: [ClusterPlan.Node] = []
        for number in numbers {
            let node: ClusterPlan.Node = try plan.node(number)
            if let process = await runningProcess(of: node) {
                throw ClusterFailure("Node \(number) is running already (process \(process)).")
            }
            nodes.append(node)
        }
        return try await begin(nodes, of: plan, replaces: replaces)
    }

    /// Adds a node and starts it; returns when it has its data and answers.
    package func add(to datacenter: String?) async throws(ClusterFailure) {
        _ = try await knownPlan()
        let begun: Begun = try await alone { () async throws(ClusterFailure) in
            var plan: ClusterPlan = try await knownPlan()
            let node: ClusterPlan.Node = try plan.add(to: datacenter)
            try await checkPorts(of: [node], plan)
            try await store(plan)
            return try await begin([node], of: plan, within: patience.move)
        }
        try await finish(begun)
    }

    /// Takes nodes out, one after the other: each hands over what it has, then ends, and its folder goes. Of those that are
    /// out of the ring already only that is left to be done.
    package func remove(_ numbers: [Int]) async throws(ClusterFailure) {
        for number in numbers {
            let plan: ClusterPlan = try await knownPlan()
            let node: ClusterPlan.Node = try plan.node(number)
            if let process = await runningProcess(of: node) {
                if !(await hasLeft(node, plan)) { try await decommission(node, plan) }
                processes.terminate(process)
                guard await hasEnded(node, process, within: patience.stop) else {
                    throw ClusterFailure("Node \(number) has left, and its process \(process) has not ended.")
                }
            } else {
                guard await isGone(node, plan) == true else {
                    throw ClusterFailure(
                        "Node \(number) is not running and still in the ring: start it first, or take it out with "
                            + "'martlet nodetool removenode' on another node.")
                }
            }
            try await alone { () async throws(ClusterFailure) in
                try await nodeFolder(node).remove()
                var plan: ClusterPlan = try await knownPlan()
                plan.remove(number)
                try await store(plan)
            }
            say("Node \(number) has left.")
        }
    }

    private func decommission(_ node: ClusterPlan.Node, _ plan: ClusterPlan) async throws(ClusterFailure) {
        say("Node \(node.number) hands over what it has.")
        let client = AdminClient(node.address, port: plan.ports.admin, timeout: patience.move, host: host)
        let end: OperationReport
        do throws(AdminClientError) {
            end = try await client.operate("/ring/decommission", []) { _ in }
        } catch {
            throw ClusterFailure("Node \(node.number) cannot leave: \(LocalCluster.words(error))")
        }
        guard end.state == .done else {
            throw ClusterFailure("Node \(node.number) cannot leave: \(end.reason ?? "it was stopped").")
        }
    }

    private static func words(_ error: AdminClientError) -> String {
        switch error {
        case .invalid(let reason), .failed(let reason): reason
        case .unknownHost, .refused, .timedOut, .insecure, .mute, .notAdmin: "\(error)"
        }
    }

    /// Asks nodes to end, and waits until they have.
    package func stop(_ numbers: [Int]) async throws(ClusterFailure) {
        for (node, process) in try await running(numbers) {
            processes.terminate(process)
            guard await hasEnded(node, process, within: patience.stop) else {
                throw ClusterFailure(
                    "Node \(node.number) (process \(process)) has not ended within \(patience.stop); kill ends it.")
            }
            say("Node \(node.number) has stopped.")
        }
    }

    /// Ends nodes without asking.
    package func kill(_ numbers: [Int]) async throws(ClusterFailure) {
        for (node, process) in try await running(numbers) {
            processes.kill(process)
            guard await hasEnded(node, process, within: patience.kill) else {
                throw ClusterFailure("Node \(node.number) (process \(process)) cannot be killed.")
            }
            say("Node \(node.number) is killed.")
        }
    }

    /// Stops all nodes; their data stays.
    package func down() async throws(ClusterFailure) {
        _ = try await knownPlan()
        try await alone { () async throws(ClusterFailure) in try await stopAll() }
    }

    private func stopAll() async throws(ClusterFailure) {
        let plan: ClusterPlan = try await knownPlan()
        var ending: [(node: ClusterPlan.Node, process: Int32)] = []
        for node in plan.nodes {
            guard let process = await runningProcess(of: node) else { continue }
            processes.terminate(process)
            ending.append((node, process))
        }
        if ending.isEmpty { return say("No node is running.") }
        for (node, process) in ending where !(await hasEnded(node, process, within: patience.stop)) {
            say("Node \(node.number) has not ended and is killed; what it acknowledged is in its commit log.")
            processes.kill(process)
            guard await hasEnded(node, process, within: patience.kill) else {
                throw ClusterFailure("Node \(node.number) (process \(process)) cannot be killed.")
            }
        }
        say(ending.count == 1 ? "1 node has stopped." : "\(ending.count) nodes have stopped.")
    }

    /// Kills all nodes and removes what there is of them.
    package func destroy() async throws(ClusterFailure) {
        _ = try await knownPlan()
        try await alone { () async throws(ClusterFailure) in try await removeAll() }
    }

    private func removeAll() async throws(ClusterFailure) {
        let plan: ClusterPlan = try await knownPlan()
        for node in plan.nodes {
            if let process = await runningProcess(of: node) {
                processes.kill(process)
                guard await hasEnded(node, process, within: patience.kill) else {
                    throw ClusterFailure("Node \(node.number) (process \(process)) cannot be killed.")
                }
            }
            try await nodeFolder(node).remove()
        }
        try await SmallFile.attempt { () async throws(DiskError) in
            try await host.disk.remove(planFile)
            // The folder may hold what is not ours.
            if try await host.disk.list(folder).isEmpty { try await host.disk.remove(folder) }
        }
        say("The cluster is gone.")
    }

    // MARK: What there is

    /// The process that runs a node; nil when it does not run.
    func runningProcess(of node: ClusterPlan.Node) async -> Int32? {
        let place: NodeFolder = nodeFolder(node)
        guard let process = await place.process(), runs(process, place) else { return nil }
        return process
    }

    /// The number may have gone to another program since it was noted.
    func runs(_ process: Int32, _ place: NodeFolder) -> Bool {
        guard let words = processes.commandLine(of: process) else { return false }
        return words.dropFirst().first == "node" && words.contains(place.dataDirectory)
    }

    func knownPlan() async throws(ClusterFailure) -> ClusterPlan {
        if let plan = try await loadPlan() { return plan }
        throw ClusterFailure("There is no cluster in \(folder); up makes one.")
    }

    func nodeFolder(_ node: ClusterPlan.Node) -> NodeFolder {
        NodeFolder("\(folder)/node\(node.number)", host.disk)
    }

    private var planFile: String { folder + "/cluster.json" }

    private func loadPlan() async throws(ClusterFailure) -> ClusterPlan? {
        let disk: any Disk = host.disk
        let kind: DiskEntryKind? = try await SmallFile.attempt { () async throws(DiskError) in
            try await disk.kind(of: planFile)
        }
        if kind == nil { return nil }
        let bytes: [UInt8] = try await SmallFile.attempt { () async throws(DiskError) in
            try await SmallFile.read(planFile, disk)
        }
        do {
            return try ClusterPlan(json: try JSONValue(parsing: String(decoding: bytes, as: UTF8.self)))
        } catch {
            throw ClusterFailure("\(planFile) is damaged: \(error)")
        }
    }

    private func store(_ plan: ClusterPlan) async throws(ClusterFailure) {
        let bytes = Array((plan.json.indentedText + "\n").utf8)
        try await SmallFile.attempt { () async throws(DiskError) in
            try await SmallFile.write(bytes, to: planFile, host.disk)
        }
    }

    private func running(
        _ numbers: [Int]
    ) async throws(ClusterFailure) -> [(node: ClusterPlan.Node, process: Int32)] {
        let plan: ClusterPlan = try await knownPlan()
        var found: [(node: ClusterPlan.Node, process: Int32)] = []
        for number in numbers {
            let node: ClusterPlan.Node = try plan.node(number)
            guard let process = await runningProcess(of: node) else {
                throw ClusterFailure("Node \(number) is not running.")
            }
            found.append((node, process))
        }
        return found
    }

    /// Whether a process has ended; its pid file goes with it.
    private func hasEnded(_ node: ClusterPlan.Node, _ process: Int32, within patience: Duration) async -> Bool {
        let place: NodeFolder = nodeFolder(node)
        let ended: Bool = await holds(within: patience) { !runs(process, place) }
        if ended { await place.forgetProcess() }
        return ended
    }
}
