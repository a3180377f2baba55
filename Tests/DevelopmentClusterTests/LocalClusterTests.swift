import DevelopmentCluster
import Environment
import SimulatedHost
import Synchronization
import Testing

/// A machine whose processes are entries of a table.
private final class FakeProcesses: NodeProcesses {
    struct State {
        var next: Int32 = 100
        var lines: [Int32: [String]] = [:]
        var signals: [String] = []
        /// Addresses of nodes that end as soon as they are started.
        var failing: Set<String> = []
        /// Processes that do not end when they are asked.
        var isStubborn = false
    }

    let state = Mutex(State())

    func start(_ arguments: [String], log: String) throws(ClusterFailure) -> Int32 {
        state.withLock { state in
            state.next += 1
            let address: String = FakeProcesses.address(arguments)
            if !state.failing.contains(address) { state.lines[state.next] = ["/bin/martlet"] + arguments }
            return state.next
        }
    }

    func commandLine(of process: Int32) -> [String]? { state.withLock { $0.lines[process] } }

    func terminate(_ process: Int32) {
        state.withLock { state in
            state.signals.append("terminate \(process)")
            if !state.isStubborn { state.lines[process] = nil }
        }
    }

    func kill(_ process: Int32) {
        state.withLock { state in
            state.signals.append("kill \(process)")
            state.lines[process] = nil
        }
    }

    /// Whether a node runs that listens there.
    func answers(at address: SocketAddress) -> Bool {
        state.withLock { state in
            state.lines.values.contains { FakeProcesses.address($0) == address.hostText }
        }
    }

    private static func address(_ words: [String]) -> String {
        words.firstIndex(of: "--listen").map { words[$0 + 1] } ?? ""
    }
}

private final class Spoken: Sendable {
    let lines = Mutex<[String]>([])
}

@Suite struct LocalClusterTests {
    private let world = SimulatedWorld(seed: 1)
    private let processes = FakeProcesses()
    private let spoken = Spoken()
    private let host: Host

    init() {
        host = world.makeHost(name: "a").host
    }

    /// Runs commands, each as a process of its own would.
    private func run(_ work: @escaping @Sendable (LocalCluster) async throws -> Void) throws {
        let (host, processes, spoken) = (self.host, self.processes, self.spoken)
        try world.run {
            let cluster = LocalCluster(
                folder: "/d", host: host, processes: processes, answers: { processes.answers(at: $0) }
            ) { line in spoken.lines.withLock { $0.append(line) } }
            try await work(cluster)
        }
    }

    /// What a command fails with.
    private func failure(_ work: @escaping @Sendable (LocalCluster) async throws -> Void) throws -> String? {
        do {
            try run(work)
            return nil
        } catch let failure as ClusterFailure { return failure.description }
    }

    private static func up(_ cluster: LocalCluster, _ datacenters: String? = nil) async throws {
        let plan = try ClusterPlan(name: "c", datacenters: DatacenterSize.parse(datacenters ?? "dc1:3"))
        try await cluster.up(plan, mustMatch: datacenters != nil)
    }

    private func states() throws -> [String] {
        let found = Spoken()
        try run { cluster in
            let status: ClusterStatus = try await cluster.status()
            found.lines.withLock { lines in
                lines = status.nodes.map { "\($0.number) \($0.state) \($0.process.map { String($0) } ?? "-")" }
            }
        }
        return found.lines.withLock { $0 }
    }

    private var lines: [String] { spoken.lines.withLock { $0 } }

    @Test func upStartsAllNodesAndReturnsWhenTheyAnswer() throws {
        try run { try await LocalClusterTests.up($0) }
        #expect(try states() == ["1 up 101", "2 up 102", "3 up 103"])
        #expect(
            lines == [
                "Node 1 answers at 127.0.0.1:9042.", "Node 2 answers at 127.0.0.2:9042.",
                "Node 3 answers at 127.0.0.3:9042.",
            ])
    }

    @Test func upAgainStartsWhatDoesNotRun() throws {
        try run { cluster in
            try await LocalClusterTests.up(cluster)
            try await LocalClusterTests.up(cluster)
        }
        #expect(lines.last == "All 3 nodes are running already.")
        try run { cluster in
            try await cluster.kill([2])
            try await LocalClusterTests.up(cluster, "dc1:3")
        }
        #expect(try states() == ["1 up 101", "2 up 104", "3 up 103"])
    }

    @Test func upRefusesToBecomeAnotherCluster() throws {
        try run { try await LocalClusterTests.up($0) }
        #expect(
            try failure { try await LocalClusterTests.up($0, "dc1:2") }
                == "/d holds another cluster, dc1:3. Start that one with up alone, or destroy it first.")
    }

    @Test func upSaysWhichPortIsTaken() throws {
        let host: Host = self.host
        try world.run {
            _ = try await host.network.listen(
                at: SocketAddress(ipv4: 127, 0, 0, 2, port: 7_199), on: host.loops
            ) { _ in SilentHandler() }
        }
        #expect(
            try failure { try await LocalClusterTests.up($0) }
                == "Port 7199 of 127.0.0.2 is taken by another program.")
        #expect(try states() == ["1 down -", "2 down -", "3 down -"])
    }

    @Test func upShowsTheEndOfTheLogOfANodeThatEnds() throws {
        processes.state.withLock { _ = $0.failing.insert("127.0.0.1") }
        let words: String? = try failure { try await LocalClusterTests.up($0, "dc1:1") }
        #expect(words == "Node 1 has ended while it started. The end of /d/node1/martlet.log:\n")
        #expect(try states() == ["1 down -"])
    }

    @Test func upGivesUpOnANodeThatDoesNotAnswer() throws {
        let (host, processes) = (self.host, self.processes)
        let words: String? = try failure { _ in
            let silent = LocalCluster(folder: "/d", host: host, processes: processes, answers: { _ in false }) { _ in }
            try await LocalClusterTests.up(silent, "dc1:1")
        }
        #expect(words?.hasPrefix("Node 1 does not answer CQL after 120.0 seconds.") == true)
    }

    @Test func killAndStopEndANodeAndStartBringsItBack() throws {
        try run { cluster in
            try await LocalClusterTests.up(cluster)
            try await cluster.kill([3])
            try await cluster.stop([1])
        }
        #expect(processes.state.withLock { $0.signals } == ["kill 103", "terminate 101"])
        #expect(try states() == ["1 down -", "2 up 102", "3 down -"])
        try run { try await $0.start([1, 3]) }
        #expect(try states() == ["1 up 104", "2 up 102", "3 up 105"])
    }

    @Test func tellsWhatCannotBeDone() throws {
        #expect(try failure { try await $0.kill([1]) } == "There is no cluster in /d; up makes one.")
        try run { try await LocalClusterTests.up($0) }
        #expect(try failure { try await $0.kill([4]) } == "There is no node 4; the cluster has the nodes 1, 2, 3.")
        #expect(try failure { try await $0.start([1]) } == "Node 1 is running already (process 101).")
        try run { try await $0.kill([1]) }
        #expect(try failure { try await $0.stop([1]) } == "Node 1 is not running.")
        #expect(try failure { try await $0.kill([2, 1]) } == "Node 1 is not running.")
        #expect(try states()[1] == "2 up 102")
    }

    @Test func leavesAProcessAloneThatIsNotTheNode() throws {
        try run { try await LocalClusterTests.up($0) }
        processes.state.withLock { state in
            state.lines[101] = ["/usr/bin/editor", "node", "notes"]
            state.lines[102] = ["/bin/martlet", "node", "--data-dir", "/other/node2/data"]
        }
        #expect(try states() == ["1 down -", "2 down -", "3 up 103"])
        #expect(try failure { try await $0.kill([1]) } == "Node 1 is not running.")
        try run { try await $0.destroy() }
        #expect(processes.state.withLock { $0.signals } == ["kill 103"])
    }

    @Test func addStartsOneMoreNodeWithANumberOfItsOwn() throws {
        try run { cluster in
            try await LocalClusterTests.up(cluster, "dc1:1,dc2:1")
            try await cluster.add(to: nil)
            try await cluster.add(to: "dc2")
        }
        #expect(try states() == ["1 up 101", "2 up 102", "3 up 103", "4 up 104"])
        let words: [String] = processes.commandLine(of: 104) ?? []
        #expect(words.contains("dc2"))
        #expect(words.contains("127.0.0.1,127.0.0.2,127.0.0.3"))
    }

    @Test func downStopsAllNodesAndKeepsTheirData() throws {
        try run { cluster in
            try await LocalClusterTests.up(cluster)
            try await cluster.kill([2])
            try await cluster.down()
        }
        #expect(lines.last == "2 nodes have stopped.")
        #expect(try states() == ["1 down -", "2 down -", "3 down -"])
        try run { try await $0.down() }
        #expect(lines.last == "No node is running.")
        let host: Host = self.host
        #expect(try world.run { try await host.disk.kind(of: "/d/node1") } == .directory)
    }

    @Test func downKillsWhatDoesNotStop() throws {
        try run { try await LocalClusterTests.up($0, "dc1:1") }
        processes.state.withLock { $0.isStubborn = true }
        #expect(
            try failure { try await $0.stop([1]) }
                == "Node 1 (process 101) has not ended within 60.0 seconds; kill ends it.")
        try run { try await $0.down() }
        #expect(processes.state.withLock { $0.signals } == ["terminate 101", "terminate 101", "kill 101"])
    }

    @Test func destroyRemovesTheClusterAndNothingElse() throws {
        let host: Host = self.host
        try run { cluster in
            try await LocalClusterTests.up(cluster)
            try await host.disk.createDirectory("/d/node2/data/k")
            let file: any DiskFile = try await host.disk.open("/d/notes", .create)
            await file.close()
            try await cluster.destroy()
        }
        #expect(try world.run { try await host.disk.list("/d") } == ["notes"])
        #expect(processes.state.withLock { $0.lines.isEmpty })
        try run { cluster in
            try await host.disk.remove("/d/notes")
            try await LocalClusterTests.up(cluster, "dc1:1")
            try await cluster.destroy()
        }
        #expect(try world.run { try await host.disk.kind(of: "/d") } == nil)
    }

    @Test func twoCommandsDoNotGetInEachOthersWay() throws {
        try run { try await LocalClusterTests.up($0, "dc1:1") }
        try run { cluster in
            async let first: Void = cluster.add(to: nil)
            async let second: Void = cluster.add(to: nil)
            try await first
            try await second
        }
        #expect(try states() == ["1 up 101", "2 up 102", "3 up 103"])
    }

    @Test func aCommandSaysThatAnotherOneIsAtWork() throws {
        try run { try await LocalClusterTests.up($0, "dc1:1") }
        let host: Host = self.host
        let words: String? = try failure { cluster in
            try await host.disk.lockDirectory("/d")
            try await cluster.add(to: nil)
        }
        #expect(words == "Another command is at work with the cluster in /d: try again when it has ended.")
        // To kill a node nobody has to wait.
        try run { try await $0.kill([1]) }
        #expect(try states() == ["1 down -"])
    }

    @Test func tellsThatItsFileIsDamaged() throws {
        let host: Host = self.host
        try run { try await LocalClusterTests.up($0) }
        try world.run {
            let file: any DiskFile = try await host.disk.open("/d/cluster.json", .update)
            try await file.truncate(to: 10)
            await file.close()
        }
        #expect(try failure { _ = try await $0.status() }?.hasPrefix("/d/cluster.json is damaged: ") == true)
    }

    @Test func statusAlignsItsColumns() {
        let node = ClusterStatus.Node(
            number: 1, address: "127.0.0.1", port: 9_042, datacenter: "dc1", rack: "r1", process: 4_711, state: .up)
        var other: ClusterStatus.Node = node
        other.number = 10
        other.state = .down
        other.process = nil
        #expect(
            ClusterStatus(nodes: [node, other]).text == """
                Node  State  Address         Datacenter  Rack  Process
                1     up     127.0.0.1:9042  dc1         r1    4711
                10    down   127.0.0.1:9042  dc1         r1    -

                """)
    }
}

private final class SilentHandler: ConnectionHandler {
    func opened(_ connection: any Connection) {}
    func received(_ bytes: UnsafeRawBufferPointer) -> Int { bytes.count }
    func receiveCompleted() {}
    func drained() {}
    func closed(_ error: NetworkError?) {}
}
