import Cluster
import Coordination
import DataModel
import Environment
import Primitives
import SimulatedHost

/// A coordinator with hints, in a world of its own, and replicas that note what they are brought.
///
/// `Sendable` is unchecked because a world and all that belongs to it is used by one thread at a time.
final class HintWorld: @unchecked Sendable {
    static let directory = "/data/hints"
    static let table = UUID(high: 0x1111, low: 0x2222)
    static let grace: UInt32 = 864_000

    let world: SimulatedWorld
    let machine: SimulatedMachine
    let a = NodeID(UUID(high: 0xA, low: 1))
    let b = NodeID(UUID(high: 0xB, low: 2))
    let local = NodeID(UUID(high: 0xC, low: 3))
    var options = HintOptions(directory: HintWorld.directory)
    let replicas = HintReplicas()
    private(set) var problems: [HintProblem] = []

    init(seed: UInt64, loopCount: Int = 2) {
        self.world = SimulatedWorld(seed: seed)
        self.machine = world.makeHost(name: "coordinator", loopCount: loopCount)
        replicas.host = machine.host
    }

    var now: Int64 { machine.time.wallMicroseconds }

    /// Runs as the node does: on loop 0.
    func run<Value: Sendable>(_ body: @escaping @Sendable () async throws -> Value) throws -> Value {
        try world.run(on: machine.host.loops[0], timeLimit: .seconds(7_200), body)
    }

    func open() throws -> HintStore {
        let host = machine.host
        let options = options
        return try run {
            try await HintStore.open(host: host, options: options) { [self] problem in problems.append(problem) }
        }
    }

    func restart() {
        machine.restart()
        replicas.host = machine.host
    }

    /// A mutation of the table that is told from others by its number.
    static func mutation(_ number: Int, byteCount: Int = 40, table: UUID = HintWorld.table) -> [UInt8] {
        var writer = ByteWriter()
        var key = [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: max(8, byteCount))
        for index in 0..<8 { key[index] = UInt8(truncatingIfNeeded: number >> (index * 8)) }
        var mutation = MutationWriter(table: table, token: Token(Int64(number)), key: key.span.bytes, to: &writer)
        mutation.beginRows(&writer)
        mutation.beginRanges(&writer)
        mutation.finish(&writer)
        return writer.array()
    }

    func appendDurably(_ store: HintStore, _ number: Int, for target: NodeID, byteCount: Int = 40) throws {
        let now = now
        try run {
            try await store.appendDurably(
                for: target, created: now, grace: HintWorld.grace,
                mutation: HintWorld.mutation(number, byteCount: byteCount), on: 0)
        }
    }

    func append(_ store: HintStore, _ number: Int, for target: NodeID, byteCount: Int = 40) throws {
        let now = now
        try run {
            let mutation = HintWorld.mutation(number, byteCount: byteCount)
            try store.append(
                for: target, created: now, grace: HintWorld.grace, mutation: mutation.span.bytes, on: 0)
        }
    }

    func backlog(_ store: HintStore) throws -> [HintStore.Backlog] {
        try run { await store.backlog() }
    }

    func close(_ store: HintStore) throws {
        try run { await store.close() }
    }

    /// A delivery that has begun.
    func deliver(
        _ store: HintStore, to liveness: Liveness, tableExists: @escaping @Sendable (UUID) -> Bool = { _ in true }
    ) throws -> HintDelivery {
        let delivery = HintDelivery(
            store: store, host: machine.host, messenger: replicas, liveness: liveness, tableExists: tableExists)
        try run { await delivery.start() }
        return delivery
    }

    /// Delivers all that there is, after a start.
    func deliverEverything() throws {
        let store = try open()
        let delivery = try deliver(store, to: Liveness(local: local, alive: [a, b]))
        try world.run(for: .seconds(120))
        try run {
            await delivery.stop()
            await store.close()
        }
    }

    var fileNames: [String] {
        get throws {
            let disk = machine.host.disk
            return try run { try await disk.list(HintWorld.directory) }
        }
    }

    func bytes(_ name: String) throws -> [UInt8] {
        let disk = machine.host.disk
        return try run {
            let file = try await disk.open("\(HintWorld.directory)/\(name)", .read)
            return try await file.read(file.byteCount, at: 0)
        }
    }

    func replace(_ name: String, _ bytes: [UInt8]) throws {
        let disk = machine.host.disk
        try run {
            let path = "\(HintWorld.directory)/\(name)"
            try await disk.remove(path)
            let file = try await disk.open(path, .create)
            try await file.write(bytes, at: 0)
            try await file.sync()
            try await disk.syncDirectory(HintWorld.directory)
            await file.close()
        }
    }
}

/// The replicas: every batch that reaches one is applied or refused by the real receiver.
///
/// `Sendable` is unchecked because a world and all that belongs to it is used by one thread at a time.
final class HintReplicas: Messenger, @unchecked Sendable {
    var host: Host?
    /// What was applied, in its order.
    private(set) var applied: [NodeID: [[UInt8]]] = [:]
    var requestCount = 0

    /// The numbers of what was applied, in its order; -1 for what nobody has appended.
    func numbers(_ node: NodeID) -> [Int] {
        (applied[node] ?? []).map { bytes in
            guard bytes.count >= 34 else { return -1 }
            let byteCount = Int(bytes[24]) << 8 | Int(bytes[25])
            let number = (0..<8).reduce(0) { $0 | Int(bytes[26 + $1]) << ($1 * 8) }
            return bytes == HintWorld.mutation(number, byteCount: byteCount) ? number : -1
        }
    }

    /// Answers that are lost: the replica has applied the batch, and the coordinator does not learn it.
    var losesAnswer: (Int) -> Bool = { _ in false }
    /// Hints that are refused.
    var refuses: (Int) -> Bool = { _ in false }
    var requestsInFlight = 0
    var mostRequestsInFlight = 0

    func send(_ verb: Verb, _ body: [UInt8], to node: NodeID) {}

    func request(
        _ verb: Verb, _ body: [UInt8], to node: NodeID, timeout: Duration
    ) async throws(MessageFailure) -> [UInt8] {
        let number = requestCount
        requestCount += 1
        requestsInFlight += 1
        mostRequestsInFlight = max(mostRequestsInFlight, requestsInFlight)
        defer { requestsInFlight -= 1 }
        let receiver = HandlerOnly()
        HintReceiver.register(on: receiver, local: node) { [self] _, hint in
            if refuses(number) { throw MessageFailure.closed }
            applied[node, default: []].append(hint.mutation)
        }
        do {
            try await host?.time.sleep(for: .milliseconds(2))
            let answer = try await receiver.answer(IncomingMessage(verb: verb, sender: .none, body: body))
            if losesAnswer(number) { throw MessageFailure.timedOut(node) }
            return answer
        } catch let failure as MessageFailure {
            throw failure
        } catch let refusal as Refusal {
            throw .refused(node, code: refusal.code, reason: refusal.reason)
        } catch {
            throw .closed
        }
    }

    func request(
        _ verb: Verb, _ body: [UInt8], at address: SocketAddress, timeout: Duration
    ) async throws(MessageFailure) -> (sender: NodeID, body: [UInt8]) {
        throw .closed
    }

    func handle(_ verb: Verb, _ body: @escaping @Sendable (IncomingMessage) async throws -> [UInt8]) {}
}

/// Holds the one handler that is registered.
///
/// `Sendable` is unchecked because a world and all that belongs to it is used by one thread at a time.
final class HandlerOnly: Messenger, @unchecked Sendable {
    private var handler: (@Sendable (IncomingMessage) async throws -> [UInt8])?

    func answer(_ incoming: IncomingMessage) async throws -> [UInt8] {
        guard let handler else { throw MessageFailure.closed }
        return try await handler(incoming)
    }

    func send(_ verb: Verb, _ body: [UInt8], to node: NodeID) {}

    func request(
        _ verb: Verb, _ body: [UInt8], to node: NodeID, timeout: Duration
    ) async throws(MessageFailure) -> [UInt8] {
        throw .closed
    }

    func request(
        _ verb: Verb, _ body: [UInt8], at address: SocketAddress, timeout: Duration
    ) async throws(MessageFailure) -> (sender: NodeID, body: [UInt8]) {
        throw .closed
    }

    func handle(_ verb: Verb, _ body: @escaping @Sendable (IncomingMessage) async throws -> [UInt8]) {
        handler = body
    }
}
